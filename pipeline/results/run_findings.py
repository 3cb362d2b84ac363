"""Collects the results of a run from the artifacts of its nodes."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx.components.evaluator import constants

from components.evaluator.evaluation import Evaluation, read_evaluation
from components.evaluator.metric_table import ACCURACY, format_metric
from pipeline.results import artifacts
from pipeline.results.artifacts import Artifacts
from pipeline.results.outcome import Pushed, Withdrawn


@dataclasses.dataclass
class RunFindings:
    """What the nodes of a run found so far.

    Attributes:
        evaluation: Metrics and bounds, None before the Evaluator.
        blessed: Whether the Evaluator blessed the candidate.
        baseline_version: Version of the baseline, None without a baseline.
        pushed: The version that the Pusher pushed, None if none.
        withdrawn: The rollback because of which a blessed model was not pushed, None if none.
        spans: The spans that were read, None if the data has none.
        rejects: Pattern of the files with rejected rows, None if there are none.

    Example:
        findings = RunFindings()
        note = findings.add('Evaluator', outputs)
        outcome = RunOutcome(run_id=run_id, **findings.outcome_fields())
    """

    evaluation: Evaluation | None = None
    blessed: bool = False
    baseline_version: str | None = None
    pushed: Pushed | None = None
    withdrawn: Withdrawn | None = None
    spans: str | None = None
    rejects: str | None = None

    def add(self, node_id: str, outputs: Artifacts) -> str:
        """Add the outputs of a node.

        Returns:
            One line that describes what the node found or made.

        Raises:
            LookupError, OSError, ValueError: If the outputs are damaged.
        """
        if 'examples' in outputs:
            self.spans = artifacts.spans_read(outputs)
            self.rejects = artifacts.rejects_files(outputs)
        if {'evaluation', 'blessing'} <= outputs.keys():
            self.evaluation = read_evaluation(artifacts.only(outputs, 'evaluation').uri)
            blessing = artifacts.only(outputs, 'blessing')
            self.blessed = (
                blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
                == constants.BLESSED_VALUE
            )
            accuracy = format_metric(ACCURACY, self.evaluation.metrics.get(ACCURACY), 'missing')
            return f'accuracy {accuracy}: {"blessed" if self.blessed else "not blessed"}'
        if node_id == 'ServedBaseline':
            self.baseline_version = artifacts.baseline_version(outputs)
        if 'pushed_model' in outputs:
            self.pushed = artifacts.pushed_version(outputs)
            self.withdrawn = artifacts.withdrawal(outputs)
        return artifacts.describe(node_id, outputs)

    def outcome_fields(self) -> dict[str, Any]:
        """Return the findings as arguments of `RunOutcome`."""
        fields: dict[str, Any] = {
            'spans': self.spans,
            'rejects': self.rejects,
            'baseline_version': self.baseline_version,
            'pushed': self.pushed,
            'withdrawn': self.withdrawn,
        }
        if self.evaluation is not None:
            fields |= {
                'metrics': self.evaluation.metrics,
                'slices': self.evaluation.slices,
                'baseline': self.evaluation.baseline,
                'thresholds': self.evaluation.checks(),
            }
        return fields
