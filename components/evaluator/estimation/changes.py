"""Changes of metrics between two models on the same examples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from components.evaluator.estimation.influences import (
    Sample,
    half_width,
    influences,
    largest_bias,
    rarer_label_count,
)
from components.evaluator.estimation.intervals import Interval, mean_of_two, tango, wilson
from components.evaluator.metric_table import (
    ACCURACY,
    BALANCED_ACCURACY,
    CALIBRATION_ERROR,
    PRECISION,
    RECALL,
    SPECIFICITY,
    find_metric,
)

BETTER, WORSE, NO_DIFFERENCE = 'better', 'worse', 'no difference'
# Shares of a set of examples that does not depend on the model.
_PAIRED_SHARES = (ACCURACY, RECALL, SPECIFICITY)
_FEWEST_PREDICTED = 10  # positive decisions of each model, for a change of the precision


class Change(NamedTuple):
    """The candidate's value of a metric minus the baseline's, on the same examples.

    Attributes:
        value: None if the metric of a model is undefined.
        low: Lower end of the interval, None if there is none.
        high: Upper end of the interval, None if there is none.
        verdict: `better` or `worse` if the interval excludes 0, and `no difference` if it does
            not: the examples cannot show one. Empty if there is no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    verdict: str


_UNDEFINED = Change(None, None, None, '')


def estimate_change(name: str, candidate: Sample, baseline: Sample, level: float) -> Change:
    """Estimate the change of a metric.

    Args:
        name: One of `METRICS`, except the number of examples.
        candidate: Examples with the scores of the candidate.
        baseline: The same examples with the scores of the baseline.
        level: Confidence level, in (0, 1).
    """
    metric = find_metric(name)
    change = metric.compute(candidate.totals) - metric.compute(baseline.totals)
    if np.isnan(change):
        return _UNDEFINED
    interval: Interval | None
    if name in _PAIRED_SHARES:
        interval = _of_share(name, candidate, baseline, level)
    elif name == BALANCED_ACCURACY:
        interval = _of_balanced_accuracy(candidate, baseline, level)
    else:
        interval = _of_influences(name, candidate, baseline, level)
    if interval is None:
        if _are_identical(candidate, baseline):
            return Change(0.0, 0.0, 0.0, NO_DIFFERENCE)
        return Change(change, None, None, '')
    sign = _sign(interval)
    if metric.direction == '1 is best':
        sign *= -_side_of_one(name, candidate, baseline, level)
    elif metric.direction == 'lower is better':
        sign = -sign
    return Change(change, *interval, {1: BETTER, 0: NO_DIFFERENCE, -1: WORSE}[sign])


def _are_identical(candidate: Sample, baseline: Sample) -> bool:
    same_scores = np.array_equal(candidate.predictions, baseline.predictions)
    return same_scores and candidate.threshold == baseline.threshold


def _sign(interval: Interval) -> int:
    """Return on which side of 0 an interval is, 0 if it contains 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def _of_share(name: str, candidate: Sample, baseline: Sample, level: float) -> Interval:
    rows = {
        ACCURACY: np.ones(len(candidate.labels), np.bool_),
        RECALL: candidate.labels == 1,
        SPECIFICITY: candidate.labels == 0,
    }[name]
    is_right = (candidate.decisions == (candidate.labels == 1))[rows]
    was_right = (baseline.decisions == (baseline.labels == 1))[rows]
    gained = int(np.count_nonzero(is_right & ~was_right))
    lost = int(np.count_nonzero(was_right & ~is_right))
    return tango(gained, lost, len(is_right), level)


def _of_balanced_accuracy(candidate: Sample, baseline: Sample, level: float) -> Interval:
    recall, specificity = (
        find_metric(name).compute(candidate.totals) - find_metric(name).compute(baseline.totals)
        for name in (RECALL, SPECIFICITY)
    )
    return mean_of_two(
        recall,
        specificity,
        _of_share(RECALL, candidate, baseline, level),
        _of_share(SPECIFICITY, candidate, baseline, level),
    )


def _of_influences(name: str, candidate: Sample, baseline: Sample, level: float) -> Interval | None:
    metric = find_metric(name)
    change = metric.compute(candidate.totals) - metric.compute(baseline.totals)
    half = half_width(
        influences(name, candidate) - influences(name, baseline), candidate.totals, level
    )
    count = rarer_label_count(candidate.totals)
    if name == PRECISION:
        count = min(int(np.count_nonzero(sample.decisions)) for sample in (candidate, baseline))
        if count < _FEWEST_PREDICTED:
            return None
    if half is None and metric.highest <= 1:
        # As in Tango's interval, if no example makes a difference.
        half = wilson(0.0, count, level).high if count else None
    if half is None:
        return None
    below = above = half
    if name == CALIBRATION_ERROR:
        # Noise may have raised the error of one model and not that of the other.
        below, above = half + largest_bias(candidate), half + largest_bias(baseline)
    limit = metric.highest
    return Interval(max(-limit, change - below), min(limit, change + above))


def _side_of_one(name: str, candidate: Sample, baseline: Sample, level: float) -> int:
    """Return on which side of 1 the mean of both models is, 0 if that is not known.

    The candidate is nearer to 1 if its value is lower and the mean is above 1, or its value is
    higher and the mean is below 1. Both must be shown, so a false alarm is as rare as in one test
    (Berger, 1982, doi:10.1080/00401706.1982.10487790).
    """
    metric = find_metric(name)
    mean = (metric.compute(candidate.totals) + metric.compute(baseline.totals)) / 2
    influence = (influences(name, candidate) + influences(name, baseline)) / 2
    half = half_width(influence, candidate.totals, level)
    return 0 if half is None else _sign(Interval(mean - 1 - half, mean - 1 + half))
