"""What a report shows, as plain values: what is collected, and what is rendered.

Collecting knows no HTML; rendering knows neither ML Metadata nor TensorFlow.
"""

from __future__ import annotations

import dataclasses

from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.described import Described
from pipeline.results.outcome import RunOutcome, State


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nothing:
    """Stands where a run has nothing to show.

    Attributes:
        why: The reason, one sentence.
    """

    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineData:
    """The data that the model compared with was trained on.

    Attributes:
        run_id: The run that trained it.
        divergence: Of its training texts from those of this run, in [0, 1].
    """

    run_id: str
    divergence: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """The data of a run.

    Attributes:
        described: Its splits.
        rejected: By reason, the number of rows that could not be used; None
            where that is not known.
        anomalies: What does not fit the schema, in words; None where the run
            ended before this was known.
        baseline: What the baseline was trained on, or why that is not known.
    """

    described: Described
    rejected: dict[str, int] | None
    anomalies: str | None
    baseline: BaselineData | Nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something that nodes hand on, as ML Metadata knows it.

    Attributes:
        id: Its number.
        key: What its node calls it: `examples`, `model`.
        type: `Examples`, `Model`.
        uri: Its folder.
    """

    id: int
    key: str
    type: str
    uri: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A node of the pipeline in a run.

    Attributes:
        id: Its name.
        state: `executed`, `cached`, `failed`, `interrupted`, or `skipped` if never
            reached.
        seconds: Wall time.
        note: The thing worth knowing about it, one line.
        inputs: What it was given.
        outputs: What it made, or took from the cache.
        fingerprint: Digest of its code and of the packages under it; empty if
            it has none.
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
    """All that is shown of a run.

    Attributes:
        outcome: Its record.
        labels: How the data spells the negative and the positive label.
        history: By name of a metric, its value in each epoch.
        scores: What the models make of `test`.
        data: The texts themselves.
        steps: The nodes, in the order of the pipeline.
        lineage: None if ML Metadata knows the run, or why it is not known.
    """

    outcome: RunOutcome
    labels: tuple[str, str]
    history: dict[str, list[float]] | Nothing
    scores: ScoreDetails | Nothing
    data: Data | Nothing
    steps: tuple[Step, ...]
    lineage: Nothing | None
