"""How much each example changes a metric, from which the deviation of the metric follows.

The influence of an example is the derivative of the metric with respect to the weight of the
example, where all weights are 1. The variance of the metric is the sum of the squared influences:
the *infinitesimal jackknife* (Jaeckel, 1972; Efron, 1981, doi:10.1093/biomet/68.3.589), to which
the variance of a bootstrap with many replicates converges. So no replicates are drawn, the result
needs no seed, and the variance of a change between two models is the sum of the squared
differences of their influences. For the AUC, this is the variance of DeLong et al., 1988,
doi:10.2307/2531595. For a ratio of sums, it is that of the delta method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from components.evaluator.estimation.totals import (
    Totals,
    auc_buckets,
    calibration_bins,
    cross_entropies,
)
from components.evaluator.metric_table import (
    AUC,
    AUC_PRECISION_RECALL,
    CALIBRATION,
    CALIBRATION_ERROR,
    F1,
    LOSS,
    PRECISION,
    find_metric,
)

Floats = npt.NDArray[np.float64]

_CHUNK = 1 << 14  # `Totals.add` takes fewer than 2 ** 15 examples
_ROUNDING = 1e-24  # a variance below it is that of sums that should be 0
_FEWEST_OF_LABEL = 3
_FEWEST_EFFECTIVE = 2


class Sample(NamedTuple):
    """The examples of a slice with the scores of one model.

    Attributes:
        labels: Integers `[examples]`, 0 or 1.
        predictions: float64 `[examples]`.
        threshold: The decision is positive if the prediction is larger.
        totals: The totals of the same examples.
    """

    labels: npt.NDArray[Any]
    predictions: Floats
    threshold: float
    totals: Totals

    @property
    def decisions(self) -> npt.NDArray[np.bool_]:
        """Which examples are predicted positive."""
        decisions: npt.NDArray[np.bool_] = self.predictions > self.threshold
        return decisions


def make_sample(labels: npt.NDArray[Any], predictions: Floats, threshold: float) -> Sample:
    """Return the sample with its totals."""
    totals = Totals()
    for first in range(0, len(labels), _CHUNK):
        rows = slice(first, first + _CHUNK)
        totals.add(labels[rows], predictions[rows], threshold=threshold)
    return Sample(labels, predictions, threshold, totals)


def influences(name: str, sample: Sample) -> Floats:
    """Return the influence of each example on a metric.

    Args:
        name: One of `METRICS_WITH_INFLUENCES`.
        sample: Examples that all have a valid score, for which the metric is defined.

    Returns:
        float64 `[examples]`; the sum is 0, because equal weights do not change a metric.

    Example:
        >>> sample = make_sample(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9]), 0.5)
        >>> influences('precision', sample).tolist()  # only one example is predicted positive
        [0.0, 0.0, 0.0]
    """
    return _INFLUENCES[name](sample, find_metric(name).compute(sample.totals))


def half_width(influence: Floats, totals: Totals, level: float) -> float | None:
    """Return half of the width of the interval of an estimate.

    The variance is estimated, too, and few examples may determine it, such as those of a rare
    label. Their effective number is the squared sum of the squared influences, divided by the
    sum of their fourth powers (Kish's, for squared influences as weights). It corrects the variance
    and sets the degrees of freedom of Student's t distribution.

    Args:
        influence: float64 `[examples]`.
        totals: The totals of the same examples.
        level: Confidence level.

    Returns:
        None if the variance cannot be estimated: there are fewer than three examples of a label,
        or the effective number is below two.
    """
    squares = influence**2
    variance, fourth = float(squares.sum()), float((squares**2).sum())
    if rarer_label_count(totals) < _FEWEST_OF_LABEL:
        return None
    if variance < _ROUNDING or variance**2 < _FEWEST_EFFECTIVE * fourth:
        return None
    count = variance**2 / fourth
    quantile = float(special.stdtrit(count - 1, (1 + level) / 2))
    return math.sqrt(variance * count / (count - 1)) * quantile


def rarer_label_count(totals: Totals) -> int:
    """Return the number of examples of the label that has fewer."""
    return int(totals.confusion.sum(axis=1).min())


def largest_bias(sample: Sample) -> float:
    """Return by how much noise can raise the expected calibration error.

    If a bin has no error, the mean of its absolute difference is sqrt(2 / pi) deviations.
    """
    squares = (sample.predictions - sample.labels) ** 2
    variances = np.bincount(calibration_bins(sample.predictions), squares)
    return math.sqrt(2 / math.pi) * float(np.sqrt(variances).sum()) / len(squares)


def _of_ratio(numerators: Floats, denominators: Any, value: float) -> Floats:
    influence: Floats = (numerators - value * denominators) / np.sum(denominators)
    return influence


def _loss(sample: Sample, value: float) -> Floats:
    losses = cross_entropies(sample.labels, sample.predictions)
    return _of_ratio(losses, np.ones(len(losses)), value)


def _precision(sample: Sample, value: float) -> Floats:
    hits = sample.decisions & (sample.labels == 1)
    return _of_ratio(hits.astype(np.float64), sample.decisions, value)


def _f1(sample: Sample, value: float) -> Floats:
    decisions, positive = sample.decisions, sample.labels == 1
    hits = (decisions & positive).astype(np.float64)
    return _of_ratio(2 * hits, decisions.astype(np.float64) + positive, value)


def _calibration(sample: Sample, value: float) -> Floats:
    return _of_ratio(sample.predictions, sample.labels == 1, value)


def _calibration_error(sample: Sample, value: float) -> Floats:
    signs = np.sign(sample.totals.excess)[calibration_bins(sample.predictions)]
    return _of_ratio(signs * (sample.predictions - sample.labels), np.ones(len(signs)), value)


def _auc(sample: Sample, value: float) -> Floats:
    negatives, positives = sample.totals.histogram.astype(np.float64)
    # Share of the other label's examples that an example of a bucket is ordered correctly with.
    of_positive = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    of_negative = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    table = np.stack(
        [(of_negative - value) / negatives.sum(), (of_positive - value) / positives.sum()]
    )
    influence: Floats = table[sample.labels, auc_buckets(sample.predictions)]
    return influence


def _precision_recall_area(sample: Sample, value: float) -> Floats:
    # The derivatives of the terms in `Totals.precision_recall_area`.
    histogram = sample.totals.histogram
    used = np.flatnonzero(histogram.sum(axis=0))[::-1]
    positives, examples = histogram[1, used], histogram[:, used].sum(axis=0)
    true_above, above = np.cumsum(positives) - positives, np.cumsum(examples) - examples
    slope, below = positives / examples, above + examples
    intercept = true_above - slope * above  # 0 for the first bucket
    logarithm = np.log(below / np.maximum(above, 1))
    by_slope = positives + intercept * logarithm - slope * above * logarithm
    by_true_above = slope * logarithm
    by_below = slope * intercept / below
    by_above = by_below - slope * intercept / np.maximum(above, 1) - slope * by_true_above
    of_example = by_below - by_slope * slope / examples + _sum_after(by_above)
    of_positive = of_example + slope + by_slope / examples + _sum_after(by_true_above) - value
    table = np.zeros(histogram.shape)
    table[:, used] = of_example, of_positive
    table /= positives.sum()
    influence: Floats = table[sample.labels, auc_buckets(sample.predictions)]
    return influence


def _sum_after(terms: Floats) -> Floats:
    """Return for each term the sum of all later ones."""
    after: Floats = np.cumsum(terms[::-1])[::-1] - terms
    return after


_INFLUENCES: dict[str, Callable[[Sample, float], Floats]] = {
    LOSS: _loss,
    AUC: _auc,
    AUC_PRECISION_RECALL: _precision_recall_area,
    PRECISION: _precision,
    F1: _f1,
    CALIBRATION: _calibration,
    CALIBRATION_ERROR: _calibration_error,
}
METRICS_WITH_INFLUENCES = frozenset(_INFLUENCES)
