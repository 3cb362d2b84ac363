"""Computes the Evaluator's metrics in one pass over the predictions.

TFMA's own classes give the same values, which the tests check, but each class
unpacks every example again for each metric and slice. They also count a
prediction of NaN as a negative one, so a broken model could pass on data with
few positives. Here one such prediction makes every metric of its slice NaN,
and the gate refuses NaN.

The executor adds whole batches to `Totals`. TFMA can compute the same metrics,
example by example, from the stored configuration of a run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import metric_table

_BUCKETS = 10_000  # of the histogram behind AUC; as many as TFMA's own has thresholds
_BINS = 15  # for the calibration error, as in Guo et al., 2017, arXiv:1706.04599
_UNIT = 1 << 44  # of the sums, per 1.0
_EPSILON = 1e-7  # Keras's, which keeps the logarithm of a saturated prediction finite
_TOTALS_NAME = '_binary_totals'

Numbers = npt.NDArray[Any]


class Totals:
    """Sums over the examples of a slice, from which the metrics are computed.

    All sums are integers; probabilities and losses are in units of 2 ** -44. So
    the sums are equal to the last bit for any order of examples and files.

    Attributes:
        examples: Number of examples, including those with invalid predictions.
        histogram: int64 `[2, buckets]`: number of predictions by label and size.
        confusion: int64 `[2, 2]`: number of examples by label and predicted label.
        excess: Unlimited Python integers `[bins]`: by size of the prediction, the
            sum of the predictions minus the number of positives.
        loss: Sum of the cross-entropies.
        predictions: Sum of the predictions.
        broken: Whether a prediction was no probability, or a label not 0 or 1.

    Example:
        >>> totals = Totals()
        >>> totals.add(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9]))
        >>> round(accuracy(totals), 4)
        0.6667
    """

    def __init__(self) -> None:
        self.examples = 0
        self.histogram: npt.NDArray[np.int64] = np.zeros((2, _BUCKETS), np.int64)
        self.confusion: npt.NDArray[np.int64] = np.zeros((2, 2), np.int64)
        self.excess: npt.NDArray[np.object_] = np.zeros(_BINS, np.object_)
        self.loss = 0
        self.predictions = 0
        self.broken = False

    def add(self, labels: Numbers, predictions: Numbers) -> None:
        """Add examples.

        Args:
            labels: Numbers `[examples]`, 0 or 1; fewer than 2 ** 15, whose
                losses an int64 can hold.
            predictions: Numbers `[examples]` in [0, 1], of the label 1.
        """
        self.examples += len(labels)
        predictions = predictions.astype(np.float64)
        is_probability = np.all((predictions >= 0) & (predictions <= 1))
        if not is_probability or not np.all(np.isin(labels, (0, 1))):
            # The metrics of a slice with an invalid prediction would be wrong.
            self.broken = True
            return
        label = labels.astype(np.int64)
        self.histogram += _count(label, _part(predictions, _BUCKETS), _BUCKETS)
        # As Keras's BinaryAccuracy: one half itself is not positive.
        self.confusion += _count(label, (predictions > 0.5).astype(np.int64), 2)
        units = _in_units(predictions)
        excess = np.zeros(_BINS, np.int64)
        np.add.at(excess, _part(predictions, _BINS), units - label * _UNIT)
        self.excess += excess.astype(np.object_)
        of_label = np.clip(np.where(label == 1, predictions, 1 - predictions), _EPSILON, None)
        self.loss += int(_in_units(-np.log(of_label)).sum())
        self.predictions += int(units.sum())

    def merge(self, other: Totals) -> None:
        self.examples += other.examples
        self.histogram += other.histogram
        self.confusion += other.confusion
        self.excess += other.excess
        self.loss += other.loss
        self.predictions += other.predictions
        self.broken |= other.broken


def _in_units(values: Numbers) -> npt.NDArray[np.int64]:
    units: npt.NDArray[np.int64] = np.rint(values * _UNIT).astype(np.int64)
    return units


def _part(predictions: Numbers, parts: int) -> npt.NDArray[np.int64]:
    """Return which of `parts` equal parts of [0, 1] each prediction is in."""
    return np.minimum((predictions * parts).astype(np.int64), parts - 1)


def _count(label: Numbers, column: Numbers, columns: int) -> npt.NDArray[np.int64]:
    return np.bincount(label * columns + column, minlength=2 * columns).reshape(2, columns)


class _TotalsCombineFn(beam.CombineFn):
    """Computes the totals example by example, for TFMA."""

    def __init__(self, key: metric_types.MetricKey, eval_config: config_pb2.EvalConfig) -> None:
        self._key = key
        self._eval_config = eval_config

    def create_accumulator(self) -> Totals:
        return Totals()

    def add_input(self, accumulator: Totals, element: Any) -> Totals:
        for label, prediction, _ in tfma.metrics.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._key.model_name
        ):
            accumulator.add(label, prediction)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Totals]) -> Totals:
        total = Totals()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator: Totals) -> dict[metric_types.MetricKey, Totals]:
        return {self._key: accumulator}


def example_count(totals: Totals) -> float:
    return float(totals.examples)


def accuracy(totals: Totals) -> float:
    """Return the share of examples that are classified correctly at 0.5."""
    return _ratio(totals, np.trace(totals.confusion), totals.confusion.sum())


def loss(totals: Totals) -> float:
    """Return the mean binary cross-entropy, in nats."""
    return _ratio(totals, totals.loss / _UNIT, totals.confusion.sum())


def precision(totals: Totals) -> float:
    """Return the share of predicted positives that are positive."""
    return _ratio(totals, totals.confusion[1, 1], totals.confusion[:, 1].sum())


def recall(totals: Totals) -> float:
    """Return the share of positives that are predicted positive."""
    return _ratio(totals, totals.confusion[1, 1], totals.confusion[1].sum())


def calibration(totals: Totals) -> float:
    """Return the sum of the predictions divided by the number of positives."""
    return _ratio(totals, totals.predictions / _UNIT, totals.confusion[1].sum())


def expected_calibration_error(totals: Totals) -> float:
    """Return the mean difference between predictions and observed shares of positives.

    Predictions are put into 15 bins of equal width. The difference of a bin is
    that of its mean prediction and its share of positives. Bins are weighted by
    their number of examples.
    """
    return _ratio(totals, np.abs(totals.excess).sum() / _UNIT, totals.confusion.sum())


def auc(totals: Totals) -> float:
    """Return the area under the ROC curve, by the trapezoidal rule over the histogram."""
    negatives, positives = totals.histogram
    below = np.cumsum(negatives) - negatives
    won = (positives * (below + negatives / 2)).sum()
    return _ratio(totals, won, float(negatives.sum()) * float(positives.sum()))


# By name in the table of metrics.
COMPUTATIONS: dict[str, Callable[[Totals], float]] = {
    metric_table.ACCURACY: accuracy,
    metric_table.LOSS: loss,
    metric_table.AUC: auc,
    'precision': precision,
    'recall': recall,
    'calibration': calibration,
    'expected_calibration_error': expected_calibration_error,
    metric_table.EXAMPLE_COUNT: example_count,
}


def _ratio(totals: Totals, numerator: float, denominator: float) -> float:
    if totals.broken or denominator == 0:
        return float('nan')
    return float(numerator / denominator)


def totals_key(model_name: str, example_weighted: bool = False) -> metric_types.MetricKey:
    """Return the key under which the metrics of a model look for its totals."""
    return metric_types.MetricKey(
        name=_TOTALS_NAME, model_name=model_name, example_weighted=example_weighted
    )


class TotalsMetric(tfma.metrics.Metric):
    """A metric that TFMA computes from `Totals`, by its name in `COMPUTATIONS`.

    The class name must not be one of TFMA's, because TFMA would use its own class.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_create_computations, name=name)


def _create_computations(
    name: str,  # TFMA passes arguments by their names.
    eval_config: config_pb2.EvalConfig,
    model_names: list[str],
    example_weighted: bool,
) -> metric_types.MetricComputations:
    computations: metric_types.MetricComputations = []
    for model_name in model_names:
        input_key = totals_key(model_name, example_weighted)
        key = metric_types.MetricKey(
            name=name, model_name=model_name, example_weighted=example_weighted
        )
        computations += [
            # TFMA runs equal computations once, so all metrics share the totals.
            metric_types.MetricComputation(
                keys=[input_key],
                preprocessors=None,
                combiner=_TotalsCombineFn(input_key, eval_config),
            ),
            metric_types.DerivedMetricComputation(
                keys=[key], result=functools.partial(_compute, key, input_key)
            ),
        ]
    return computations


def _compute(
    key: metric_types.MetricKey, input_key: metric_types.MetricKey, found: Mapping[Any, Any]
) -> dict[metric_types.MetricKey, float]:
    return {key: COMPUTATIONS[key.name](found[input_key])}
