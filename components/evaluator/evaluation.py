"""The result of the Evaluator: metrics with intervals, changes, and the result of each bound."""

from __future__ import annotations

import dataclasses
import math
import posixpath
from typing import Literal

import pydantic

from components.common.atomic_write import UNFINISHED, atomic_write
from components.common.storage import storage_of
from components.evaluator.metric_table import Check, Ends, MetricChange

EVALUATION_FILE = 'evaluation.json'

Metrics = dict[str, float | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The metrics of the candidate and the baseline, and the bounds of the gate.

    Attributes:
        metrics: Metrics of the candidate on the whole test split, by name; None is NaN.
        slices: The same by slice, for example `length=11-50`.
        baseline: Metrics of the baseline on the whole test split, None without a baseline.
        thresholds: The result of each bound.
        intervals: Ends of the interval of each metric in `metrics` that has one, by name.
        slice_intervals: The same by slice.
        changes: Difference of each metric from that of the baseline, by name; empty without
            a baseline.
        confidence: Level of all intervals.
        judged_by: `interval` if each bound must hold for the worse end of the interval.
        examples_needed: Number of texts of test that could show a drop of the accuracy of
            `max_accuracy_drop`; None if test has as many.
        threshold: Decision threshold of the candidate.
        baseline_threshold: That of the baseline, None without a baseline.

    Example:
        evaluation = read_evaluation(artifact.uri)
        failed = [check for check in evaluation.thresholds if not check.passed]
    """

    metrics: Metrics
    slices: dict[str, Metrics]
    baseline: Metrics | None
    thresholds: tuple[Check, ...] = ()
    intervals: dict[str, Ends] = dataclasses.field(default_factory=dict)
    slice_intervals: dict[str, dict[str, Ends]] = dataclasses.field(default_factory=dict)
    changes: dict[str, MetricChange] = dataclasses.field(default_factory=dict)
    confidence: float = 0.95
    judged_by: Literal['value', 'interval'] = 'value'
    examples_needed: int | None = None
    threshold: float = 0.5
    baseline_threshold: float | None = None


_FORMAT = pydantic.TypeAdapter(Evaluation)


def write_evaluation(evaluation: Evaluation, uri: str) -> None:
    """Write an evaluation into the folder `uri` of an Evaluation artifact."""
    atomic_write(
        posixpath.join(uri, EVALUATION_FILE),
        _FORMAT.dump_json(evaluation, indent=1),
        part_dir=posixpath.join(uri, UNFINISHED),
    )


def read_evaluation(uri: str) -> Evaluation:
    """Read the Evaluation artifact in the folder `uri`.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file is damaged.
    """
    path = posixpath.join(uri, EVALUATION_FILE)
    with storage_of(path).GFile(path, 'rb') as file:
        return _FORMAT.validate_json(file.read())


def number_or_none(value: float) -> float | None:
    """Return None for NaN.

    >>> number_or_none(math.nan), number_or_none(0.5)
    (None, 0.5)
    """
    return None if math.isnan(value) else value
