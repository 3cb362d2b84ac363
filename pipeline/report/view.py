"""The content of a report, as plain values between `collect` and `render`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from components.evaluator.score_details import ScoreDetails
from components.label_issues.table import IssueSummary
from components.statistics_gen.text_statistics import TextStatistics
from components.trainer.threshold import TunedThreshold
from pipeline.results.outcome import RunOutcome


@dataclasses.dataclass(frozen=True, kw_only=True)
class Missing:
    """Replaces content that is missing.

    Attributes:
        reason: One sentence.
    """

    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineData:
    """The training data of the baseline.

    Attributes:
        run_id: Id of the run that trained the baseline.
        divergence: Drift of this run's training data from it, in [0, 1].
    """

    run_id: str
    divergence: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureRow:
    """Statistics of a feature column in a split.

    Attributes:
        name: Name of the column.
        type: Type of its values.
        split: Name of the split.
        missing: Share of the examples that have no value, in [0, 1].
        values: Range and mean of numbers; the most frequent strings.
    """

    name: str
    type: str
    split: str
    missing: float
    values: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """The data of a run.

    Attributes:
        described: Statistics of its splits.
        rejected: Number of rejected rows by reason, None if it is not known.
        dropped: By label, the number of rows that the settings leave out.
        anomalies: Result of the validation as text, None if the run ended before it.
        baseline: Training data of the baseline.
        features: Statistics of the feature columns, by column and split.
    """

    described: TextStatistics
    rejected: dict[str, int] | None
    anomalies: str | None
    baseline: BaselineData | Missing
    features: tuple[FeatureRow, ...] = ()
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact in ML Metadata.

    Attributes:
        id: Id of the artifact.
        key: Name of the input or output, for example `examples`.
        uri: Folder of the artifact.
    """

    id: int
    key: str
    uri: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedNode:
    """A node of a run in ML Metadata.

    Attributes:
        inputs: Input artifacts.
        outputs: Output artifacts, made or cached.
        fingerprint: Digest of its code and its packages; empty if it has none.
    """

    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    fingerprint: str

    def uri(self, key: str) -> str | None:
        """Return the folder of an output, None if there is no such output."""
        return next((a.uri for a in self.outputs if a.key == key), None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """The content of the report of a run.

    Attributes:
        outcome: The record of the run.
        labels: The negative and the positive label in the data.
        history: Value of each metric by epoch.
        scores: Details of the scores on `test`.
        label_issues: Suspected label errors of the splits that were examined.
        data: Statistics of the data.
        nodes: The nodes that ML Metadata has, by id.
        lineage: Why ML Metadata does not have the run; None if it has it.
        tuned: The tuned decision threshold; None if it was not tuned, or is not known.
    """

    outcome: RunOutcome
    labels: tuple[str, str]
    history: dict[str, list[float]] | Missing
    scores: ScoreDetails | Missing
    label_issues: IssueSummary | Missing
    data: Data | Missing
    nodes: Mapping[str, RecordedNode]
    lineage: Missing | None
    tuned: TunedThreshold | None = None
