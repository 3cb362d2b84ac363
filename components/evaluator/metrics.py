"""The Evaluator's metrics, all from one pass over the predictions.

TFMA's own classes give the same values (the tests hold them together), but
each unpacks every example again, once per metric and slice. And they count a
prediction of NaN as a negative, so that a broken model could pass on data with
few positives; here one such prediction makes every metric of its slice NaN,
which the gate refuses.

The executor adds whole batches to `Totals`. TFMA itself can compute the same
metrics, example by example, from the configuration that is kept with a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

_BUCKETS = 10_000  # of the histogram behind AUC; as many as TFMA's own has thresholds
_BINS = 15  # of the calibration error, as in Guo et al., 2017, arXiv:1706.04599
_UNIT = 1 << 44  # of what is added up
_EPSILON = 1e-7  # Keras's, which keeps the logarithm of a saturated prediction finite
_TOTALS_NAME = '_binary_totals'

Numbers = npt.NDArray[Any]


class Totals:
    """What the metrics of a slice are computed from.

    All of it are whole numbers, probabilities and losses in units of 2 ** -44:
    so the sums are the same to the last bit in whatever order the examples
    come, and from however many files.

    Attributes:
        examples: Number of examples, whatever was predicted for them.
        histogram: int64 `[2, buckets]`: by label, the predictions by size.
        confusion: int64 `[2, 2]`: by label and by predicted label.
        excess: Python's integers `[bins]`, which have no limit: by size of the
            prediction, the sum of the predictions less the number of positives.
        loss: Sum of the cross-entropies.
        predictions: Sum of the predictions.
        broken: Whether anything was no probability, or no label.
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
            # No probability (NaN included) or no label: nothing said of this slice is true.
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
        """Add the examples of another."""
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
    """Say in which of so many equal parts of [0, 1] each prediction lies."""
    return np.minimum((predictions * parts).astype(np.int64), parts - 1)


def _count(label: Numbers, column: Numbers, columns: int) -> npt.NDArray[np.int64]:
    return np.bincount(label * columns + column, minlength=2 * columns).reshape(2, columns)


class _TotalsCombineFn(beam.CombineFn):
    """How TFMA, which knows one example at a time, makes the totals."""

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
    """Count the examples."""
    return float(totals.examples)


def accuracy(totals: Totals) -> float:
    """Share of the examples on the right side of one half."""
    return _ratio(totals, np.trace(totals.confusion), totals.confusion.sum())


def loss(totals: Totals) -> float:
    """Mean binary cross-entropy, in nats."""
    return _ratio(totals, totals.loss / _UNIT, totals.confusion.sum())


def precision(totals: Totals) -> float:
    """Share of the predicted positives that are positive."""
    return _ratio(totals, totals.confusion[1, 1], totals.confusion[:, 1].sum())


def recall(totals: Totals) -> float:
    """Share of the positives that are predicted."""
    return _ratio(totals, totals.confusion[1, 1], totals.confusion[1].sum())


def calibration(totals: Totals) -> float:
    """Sum of the predictions over the number of positives."""
    return _ratio(totals, totals.predictions / _UNIT, totals.confusion[1].sum())


def expected_calibration_error(totals: Totals) -> float:
    """Mean distance of the predictions from the share of positives among their like.

    The predictions of the positive label fall into 15 bins of equal width; a
    bin's distance is that of its mean prediction from its share of positives,
    and counts by its number of examples. 0 is best.
    """
    return _ratio(totals, np.abs(totals.excess).sum() / _UNIT, totals.confusion.sum())


def auc(totals: Totals) -> float:
    """Area under the ROC curve, by the trapezoidal rule over the histogram."""
    negatives, positives = totals.histogram
    below = np.cumsum(negatives) - negatives
    won = (positives * (below + negatives / 2)).sum()
    return _ratio(totals, won, float(negatives.sum()) * float(positives.sum()))


def _ratio(totals: Totals, numerator: float, denominator: float) -> float:
    if totals.broken or denominator == 0:
        return float('nan')
    return float(numerator / denominator)


def totals_key(model_name: str, example_weighted: bool = False) -> metric_types.MetricKey:
    """Return the key under which the metrics of a model look for its totals."""
    return metric_types.MetricKey(
        name=_TOTALS_NAME, model_name=model_name, example_weighted=example_weighted
    )


class _BinaryMetric(tfma.metrics.Metric):
    """A metric that is a function of the totals.

    The names of its subclasses are none of TFMA's: it would take its own.
    """

    def __init__(self, name: str, value: Callable[[Totals], float]) -> None:
        # TFMA passes what the signature names.
        def computations(
            name: str,
            eval_config: config_pb2.EvalConfig,
            model_names: list[str],
            example_weighted: bool,
        ) -> metric_types.MetricComputations:
            return [
                computation
                for model_name in model_names
                for computation in _computations(
                    name, value, eval_config, model_name, example_weighted
                )
            ]

        super().__init__(computations, name=name)


def _computations(
    name: str,
    value: Callable[[Totals], float],
    eval_config: config_pb2.EvalConfig,
    model_name: str,
    example_weighted: bool,
) -> metric_types.MetricComputations:
    of_totals = totals_key(model_name, example_weighted)
    key = metric_types.MetricKey(
        name=name, model_name=model_name, example_weighted=example_weighted
    )
    # TFMA runs equal computations once, so all metrics share this one.
    totals = metric_types.MetricComputation(
        keys=[of_totals],
        preprocessors=None,
        combiner=_TotalsCombineFn(of_totals, eval_config),
    )
    derived = metric_types.DerivedMetricComputation(
        keys=[key], result=lambda metrics: {key: value(metrics[of_totals])}
    )
    return [totals, derived]


class OnePassExampleCount(_BinaryMetric):
    """See `example_count`."""

    def __init__(self, name: str = 'example_count') -> None:
        super().__init__(name, example_count)


class OnePassAccuracy(_BinaryMetric):
    """See `accuracy`."""

    def __init__(self, name: str = 'binary_accuracy') -> None:
        super().__init__(name, accuracy)


class OnePassCrossEntropy(_BinaryMetric):
    """See `loss`."""

    def __init__(self, name: str = 'loss') -> None:
        super().__init__(name, loss)


class OnePassAUC(_BinaryMetric):
    """See `auc`."""

    def __init__(self, name: str = 'auc') -> None:
        super().__init__(name, auc)


class OnePassPrecision(_BinaryMetric):
    """See `precision`."""

    def __init__(self, name: str = 'precision') -> None:
        super().__init__(name, precision)


class OnePassRecall(_BinaryMetric):
    """See `recall`."""

    def __init__(self, name: str = 'recall') -> None:
        super().__init__(name, recall)


class OnePassCalibration(_BinaryMetric):
    """See `calibration`."""

    def __init__(self, name: str = 'calibration') -> None:
        super().__init__(name, calibration)


class OnePassCalibrationError(_BinaryMetric):
    """See `expected_calibration_error`."""

    def __init__(self, name: str = 'expected_calibration_error') -> None:
        super().__init__(name, expected_calibration_error)
