"""What a run has come to so far, gathered from node to node."""

from __future__ import annotations

import dataclasses

from pipeline.results import artifacts
from pipeline.results.artifacts import Artifacts
from pipeline.results.evaluation import Evaluation
from pipeline.results.outcome import Check, Pushed, Withdrawn


@dataclasses.dataclass
class Gathered:
    """What the outcome of a run tells of its artifacts.

    Attributes:
        evaluation: What the gate measured and said, None before it.
        pushed: The version that the Pusher pushed, None if none.
        withdrawn: Why it did not push a blessed model, None if it did or there is none.
        spans: The spans that were read, None if the data has none.
        rejects: Pattern of the files with the rows that could not be used, None without any.
    """

    evaluation: Evaluation | None = None
    pushed: Pushed | None = None
    withdrawn: Withdrawn | None = None
    spans: str | None = None
    rejects: str | None = None

    def take(self, node_id: str, outputs: Artifacts) -> str:
        """Say in one line what a node found or made, and remember what counts.

        Raises:
            LookupError, OSError, ValueError: If its outputs are not what it says.
        """
        if 'examples' in outputs:
            self.spans = artifacts.spans_read(outputs)
            self.rejects = artifacts.rejects_files(outputs)
        if {'evaluation', 'blessing'} <= outputs.keys():
            self.evaluation = Evaluation(outputs)
            return self.evaluation.told()
        if 'pushed_model' in outputs:
            self.pushed = artifacts.pushed_version(outputs)
            self.withdrawn = artifacts.withdrawal(outputs)
        return artifacts.describe(node_id, outputs)

    @property
    def metrics(self) -> dict[str, float | None]:
        """Of all examples, by name."""
        return self.evaluation.metrics if self.evaluation else {}

    @property
    def slices(self) -> dict[str, dict[str, float | None]]:
        """Metrics by slice and name."""
        return self.evaluation.slices if self.evaluation else {}

    @property
    def baseline(self) -> dict[str, float | None] | None:
        """The baseline's metrics, None without one."""
        return self.evaluation.baseline if self.evaluation else None

    @property
    def thresholds(self) -> tuple[Check, ...]:
        """Each bound with what was measured."""
        return self.evaluation.checks() if self.evaluation else ()
