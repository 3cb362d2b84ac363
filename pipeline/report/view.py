"""The content of a report, as plain values between `collect` and `render`."""

from __future__ import annotations

import dataclasses

from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.text_statistics import TextStatistics
from pipeline.results.outcome import RunOutcome, State


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nothing:
    """Replaces content that is missing.

    Attributes:
        why: The reason, one sentence.
    """

    why: str


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
class Data:
    """The data of a run.

    Attributes:
        described: Statistics of its splits.
        rejected: Number of rejected rows by reason, None if it is not known.
        anomalies: Result of the validation as text, None if the run ended before it.
        baseline: Training data of the baseline.
    """

    described: TextStatistics
    rejected: dict[str, int] | None
    anomalies: str | None
    baseline: BaselineData | Nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact in ML Metadata.

    Attributes:
        id: Id of the artifact.
        key: Name of the input or output, for example `examples`.
        type: Type, for example `Examples`.
        uri: Folder of the artifact.
    """

    id: int
    key: str
    type: str
    uri: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A node of a run; see `NodeResult`.

    Attributes:
        id: Id of the node.
        state: State of the node.
        seconds: Wall time.
        note: One line about what the node found or made.
        inputs: Input artifacts.
        outputs: Output artifacts, made or cached.
        fingerprint: Digest of its code and its packages; empty if it has none.
    """

    id: str
    state: State
    seconds: float
    note: str
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    fingerprint: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """The content of the report of a run.

    Attributes:
        outcome: The record of the run.
        labels: The negative and the positive label in the data.
        history: Value of each metric by epoch.
        scores: Details of the scores on `test`.
        data: Statistics of the data.
        steps: The nodes, in the order of the pipeline.
        lineage: Why ML Metadata does not have the run; None if it has it.
    """

    outcome: RunOutcome
    labels: tuple[str, str]
    history: dict[str, list[float]] | Nothing
    scores: ScoreDetails | Nothing
    data: Data | Nothing
    steps: tuple[Step, ...]
    lineage: Nothing | None
