"""Metrics with their confidence intervals, and changes against the baseline, by slice.

Shares have score intervals: Wilson's for a share, Tango's for a paired change. All other intervals
come from the influence of each example on the metric. `docs/gate.md#intervals` has the methods
and their measured coverage. This module imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.evaluator.estimation.changes import Change, estimate_change
from components.evaluator.estimation.influences import (
    Floats,
    Sample,
    half_width,
    influences,
    largest_bias,
    make_sample,
    rarer_label_count,
)
from components.evaluator.estimation.intervals import (
    Interval,
    mean_of_two,
    normal_quantile,
    on_log_scale,
    on_logit_scale,
    wilson,
)
from components.evaluator.estimation.totals import is_scored
from components.evaluator.metric_table import (
    ACCURACY,
    BALANCED_ACCURACY,
    CALIBRATION_ERROR,
    EXAMPLE_COUNT,
    F1,
    METRICS,
    PRECISION,
    RECALL,
    SPECIFICITY,
    find_metric,
)

__all__ = ['Change', 'Estimate', 'Scores', 'SliceEstimates', 'estimate_slices', 'examples_needed']

CANDIDATE, BASELINE = 'candidate', 'baseline'
_SHARES = (ACCURACY, PRECISION, RECALL, SPECIFICITY)
_DEFAULT_THRESHOLD = 0.5


class Scores(NamedTuple):
    """The scores of one or two models, one row for each example of `test`.

    Attributes:
        labels: int8 `[examples]`, 0 or 1.
        predictions: float64 `[examples]` by model, `candidate` and perhaps `baseline`:
            probabilities of the label 1. NaN, or a number outside [0, 1], means not scored.
        thresholds: Decision threshold by model, 0.5 if it is missing. A decision is positive if
            the prediction is larger.
    """

    labels: npt.NDArray[np.int8]
    predictions: Mapping[str, Floats]
    thresholds: Mapping[str, float]


class Estimate(NamedTuple):
    """A metric with its confidence interval.

    Attributes:
        value: None if it is undefined: there are no examples, only one label occurs, or an
            example has no valid score.
        low: Lower end, None if there is no interval. The number of examples has none, and neither
            has a loss or calibration without any spread, for example that of a single example.
        high: Upper end.
    """

    value: float | None
    low: float | None
    high: float | None


class SliceEstimates(NamedTuple):
    """The estimates of a slice.

    Attributes:
        examples: Number of examples in the slice.
        candidate: By metric.
        baseline: By metric, None without a baseline.
        changes: By metric, without the number of examples; None without a baseline.
    """

    examples: int
    candidate: dict[str, Estimate]
    baseline: dict[str, Estimate] | None
    changes: dict[str, Change] | None


def estimate_slices(
    scores: Scores, slices: Mapping[str, npt.NDArray[np.bool_]], *, level: float = 0.95
) -> dict[str, SliceEstimates]:
    """Estimate all metrics of each slice.

    The estimates do not depend on the order of the examples.

    Args:
        scores: Scores of the whole `test` split.
        slices: Which examples are in a slice, bool `[examples]` by name of the slice.
        level: Confidence level of the intervals, in (0, 1).

    Raises:
        ValueError: If the columns do not have the same length, or there is no candidate.

    Example:
        >>> predictions = {'candidate': np.array([0.1, 0.4, 0.6, 0.9])}
        >>> scores = Scores(np.array([0, 1, 0, 1], np.int8), predictions, {})
        >>> found = estimate_slices(scores, {'': np.ones(4, bool)})['']
        >>> found.candidate['auc'].value
        0.75
    """
    _check_columns(scores, slices)
    # Sums of floats depend on the order, so the examples get one: by label, candidate, baseline.
    keys: list[npt.NDArray[Any]] = [
        scores.predictions[model] for model in sorted(scores.predictions)
    ]
    keys.append(scores.labels)
    order = np.lexsort(keys)
    return {
        name: _estimate_slice(scores, order[rows[order]], level) for name, rows in slices.items()
    }


def examples_needed(scores: Scores, max_drop: float) -> int | None:
    """Return how many examples it takes to show a drop of the accuracy.

    With so many examples, McNemar's test at a level of 5% (two-sided) shows a true drop of
    `max_drop` with a probability of 80% (Connor, 1987, Biometrics 43, 207-211). It
    depends on the share of the examples on which only one of the models is right, for which the
    observed share is taken.

    Args:
        scores: Scores of the whole `test` split.
        max_drop: Drop of the accuracy, in [0, 1].

    Returns:
        None if there are as many examples, or if the number is not defined: there is no baseline,
        an example has no valid score, or `max_drop` is 0, which no number of examples can show.

    Example:
        >>> labels = np.tile(np.array([0, 1], np.int8), 50)
        >>> candidate = np.where(labels == 1, 0.9, 0.1)
        >>> baseline = np.where(np.arange(100) < 10, 1 - candidate, candidate)
        >>> scores = Scores(labels, {'candidate': candidate, 'baseline': baseline}, {})
        >>> examples_needed(scores, 0.01)  # the models differ on 10% of the examples
        7847
    """
    if BASELINE not in scores.predictions or max_drop <= 0 or not len(scores.labels):
        return None
    if not all(
        is_scored(scores.labels, scores.predictions[m]).all() for m in (CANDIDATE, BASELINE)
    ):
        return None
    candidate, baseline = (
        scores.predictions[model] > scores.thresholds.get(model, _DEFAULT_THRESHOLD)
        for model in (CANDIDATE, BASELINE)
    )
    # A drop is at least that share.
    differing = max(max_drop, float(np.mean(candidate != baseline)))
    deviations = normal_quantile(0.95) * math.sqrt(differing)
    # A one-sided quantile of 80% is a two-sided one of 60%.
    deviations += normal_quantile(0.6) * math.sqrt(differing - max_drop**2)
    needed = math.ceil((deviations / max_drop) ** 2)
    return needed if needed > len(scores.labels) else None


def _check_columns(scores: Scores, slices: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    if CANDIDATE not in scores.predictions:
        raise ValueError(f'expected scores of {CANDIDATE!r}, got {sorted(scores.predictions)}')
    for name, column in (*scores.predictions.items(), *slices.items()):
        if column.shape != scores.labels.shape:
            raise ValueError(
                f'expected a column of {len(scores.labels)} examples, got {name!r} of shape '
                f'{column.shape}'
            )


def _estimate_slice(scores: Scores, rows: npt.NDArray[np.int64], level: float) -> SliceEstimates:
    labels = scores.labels[rows]
    samples = {
        model: make_sample(
            labels, predictions[rows], scores.thresholds.get(model, _DEFAULT_THRESHOLD)
        )
        for model, predictions in scores.predictions.items()
    }
    names = [metric.name for metric in METRICS]
    of_model = {
        model: {name: estimate(name, sample, level) for name in names}
        for model, sample in samples.items()
    }
    changes = None
    if BASELINE in samples:
        changes = {
            name: estimate_change(name, samples[CANDIDATE], samples[BASELINE], level)
            for name in names
            if name != EXAMPLE_COUNT
        }
    return SliceEstimates(len(rows), of_model[CANDIDATE], of_model.get(BASELINE), changes)


def estimate(name: str, sample: Sample, level: float) -> Estimate:
    """Estimate a metric of a model on the examples of a slice.

    Args:
        name: One of `METRICS`.
        sample: The examples with the scores of the model.
        level: Confidence level, in (0, 1).
    """
    value = find_metric(name).compute(sample.totals)
    if math.isnan(value):
        return Estimate(None, None, None)
    interval = None if name == EXAMPLE_COUNT else _interval(name, value, sample, level)
    return Estimate(value, *(interval or (None, None)))


def _interval(name: str, value: float, sample: Sample, level: float) -> Interval | None:
    if name in _SHARES:
        return _of_share(name, sample, level)
    if name == BALANCED_ACCURACY:
        recall, specificity = (
            find_metric(share).compute(sample.totals) for share in (RECALL, SPECIFICITY)
        )
        of_recall, of_specificity = (
            _of_share(share, sample, level) for share in (RECALL, SPECIFICITY)
        )
        return mean_of_two(recall, specificity, of_recall, of_specificity)
    if name == F1:
        # F1 is 2q / (1 + q), where q is the share TP / (TP + FP + FN).
        twice_hits, total = find_metric(name).ratio(sample.totals)
        ends = wilson(value / (2 - value), total - twice_hits / 2, level)
        return Interval(*(2 * end / (1 + end) for end in ends))
    return _of_influences(name, value, sample, level)


def _of_share(name: str, sample: Sample, level: float) -> Interval:
    successes, trials = find_metric(name).ratio(sample.totals)
    return wilson(float(successes / trials), float(trials), level)


def _of_influences(name: str, value: float, sample: Sample, level: float) -> Interval | None:
    half = half_width(influences(name, sample), sample.totals, level)
    if find_metric(name).highest > 1:
        return None if half is None else on_log_scale(value, half)
    if half is None:
        count = rarer_label_count(sample.totals)
        return wilson(value, count, level) if count else None
    if name == CALIBRATION_ERROR:
        return Interval(max(0.0, value - half - largest_bias(sample)), min(1.0, value + half))
    return on_logit_scale(value, half)
