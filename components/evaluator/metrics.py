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
from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.metric_table import find_metric

BUCKETS = 10_000  # of the histogram behind AUC; as many as TFMA's own has thresholds
# Of the calibration error, as in Guo et al., 2017, arXiv:1706.04599.
_BINS = 15
_UNIT = 1 << 44  # of the sums, per 1.0
_EPSILON = 1e-7  # Keras's, which keeps the logarithm of a saturated prediction finite
_TOTALS_NAME = '_binary_totals'

Numbers = npt.NDArray[Any]


class Totals:
    """Sums over the examples of a slice, from which the metrics are computed.

    All sums are integers; probabilities and losses are in units of 2 ** -44. So
    the sums are equal to the last bit for any order of examples and files.

    Attributes:
        examples: Number of examples.
        unscored: Number of examples without a valid score, see `is_scored`. They
            are in no other sum.
        histogram: int64 `[2, BUCKETS]`: number of predictions by label and size.
        confusion: int64 `[2, 2]`: number of examples by label and predicted label.

    Example:
        >>> totals = Totals()
        >>> totals.add(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9]))
        >>> totals.confusion.tolist()
        [[1, 0], [1, 1]]
    """

    def __init__(self) -> None:
        self.examples: int = 0
        self.unscored: int = 0
        self.histogram: npt.NDArray[np.int64] = np.zeros((2, BUCKETS), np.int64)
        self.confusion: npt.NDArray[np.int64] = np.zeros((2, 2), np.int64)
        # By size of the prediction, the sum of the predictions minus the number of positives;
        # unlimited Python integers.
        self._excess: npt.NDArray[np.object_] = np.zeros(_BINS, np.object_)
        self._loss = 0
        self._predictions = 0

    @property
    def loss(self) -> float:
        """Sum of the binary cross-entropies, in nats."""
        return self._loss / _UNIT

    @property
    def predictions(self) -> float:
        """Sum of the predictions."""
        return self._predictions / _UNIT

    @property
    def calibration_error(self) -> float:
        """Sum of the differences between predictions and number of positives of 15 equal bins."""
        return float(np.abs(self._excess).sum() / _UNIT)

    def ordered_pairs(self) -> tuple[float, float]:
        """Count pairs of a positive and a negative example.

        Returns:
            The pairs in which the positive example has the higher prediction (a tie
            counts half), and all pairs. The share is the area under the ROC curve.
        """
        negatives, positives = self.histogram
        below = np.cumsum(negatives) - negatives
        ordered = (positives * (below + negatives / 2)).sum()
        return float(ordered), float(negatives.sum()) * float(positives.sum())

    def add(self, labels: Numbers, predictions: Numbers) -> None:
        """Add examples.

        Args:
            labels: Numbers `[examples]`, 0 or 1; fewer than 2 ** 15, whose
                losses an int64 can hold.
            predictions: Numbers `[examples]` in [0, 1], of the label 1.
        """
        scored = is_scored(labels, predictions)
        self.examples += len(labels)
        self.unscored += int(np.count_nonzero(~scored))
        label, predictions = labels[scored].astype(np.int64), predictions[scored].astype(np.float64)
        self.histogram += _count(label, _part(predictions, BUCKETS), BUCKETS)
        # As Keras's BinaryAccuracy: one half itself is not positive.
        self.confusion += _count(label, (predictions > 0.5).astype(np.int64), 2)
        units = _in_units(predictions)
        excess = np.zeros(_BINS, np.int64)
        np.add.at(excess, _part(predictions, _BINS), units - label * _UNIT)
        self._excess += excess.astype(np.object_)
        of_label = np.clip(np.where(label == 1, predictions, 1 - predictions), _EPSILON, None)
        self._loss += int(_in_units(-np.log(of_label)).sum())
        self._predictions += int(units.sum())

    def merge(self, other: Totals) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def is_scored(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.bool_]:
    """Return which examples have a probability as score, and 0 or 1 as label."""
    # A comparison with NaN is false.
    in_range: npt.NDArray[np.bool_] = (predictions >= 0) & (predictions <= 1)
    return in_range & np.isin(labels, (0, 1))


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


def metric_key(
    name: str, model_name: str, *, example_weighted: bool = False
) -> metric_types.MetricKey:
    """Return TFMA's key of a metric of a model."""
    return metric_types.MetricKey(
        name=name, model_name=model_name, example_weighted=example_weighted
    )


class TotalsMetric(tfma.metrics.Metric):
    """A metric that TFMA computes from `Totals`, by its name in `METRICS`.

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
    for model in model_names:
        totals = metric_key(_TOTALS_NAME, model, example_weighted=example_weighted)
        key = metric_key(name, model, example_weighted=example_weighted)
        # TFMA runs equal computations once, so all metrics share the totals.
        combine = _TotalsCombineFn(totals, eval_config)
        result = functools.partial(_compute, key, totals)
        computations += [
            metric_types.MetricComputation(keys=[totals], preprocessors=None, combiner=combine),
            metric_types.DerivedMetricComputation(keys=[key], result=result),
        ]
    return computations


def _compute(
    key: metric_types.MetricKey, totals: metric_types.MetricKey, found: Mapping[Any, Any]
) -> dict[metric_types.MetricKey, float]:
    return {key: find_metric(key.name).compute(found[totals])}
