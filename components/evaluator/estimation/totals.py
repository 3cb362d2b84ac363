"""Sums over examples, from which the Evaluator's metrics are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BUCKETS = 10_000  # of the histogram behind AUC; as many as TFMA's own has thresholds
# Of the calibration error, as in Guo et al., 2017, arXiv:1706.04599.
_BINS = 15
_UNIT = 1 << 44  # of the sums, per 1.0
_EPSILON = 1e-7  # Keras's, which keeps the logarithm of a saturated prediction finite

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
        confusion: int64 `[2, 2]`: number of examples by label and decision.

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
    def excess(self) -> npt.NDArray[np.float64]:
        """By `calibration_bins`, the sum of the predictions minus the number of positives."""
        excess: npt.NDArray[np.float64] = (self._excess / _UNIT).astype(np.float64)
        return excess

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

    def precision_recall_area(self) -> tuple[float, float]:
        """Compute the area under the precision-recall curve.

        Between two buckets, true and false positives are interpolated, and not the precision
        (Davis and Goadrich, 2006, doi:10.1145/1143844.1143874), as in TFMA's AUCPrecisionRecall.

        Returns:
            The area times the number of positives, and that number; (0, 0) if only one label
            occurs.
        """
        used = np.flatnonzero(self.histogram.sum(axis=0))[::-1]
        positives, examples = self.histogram[1, used], self.histogram[:, used].sum(axis=0)
        number = int(positives.sum())
        if number in {0, int(examples.sum())}:
            return 0.0, 0.0
        true_above, above = np.cumsum(positives) - positives, np.cumsum(examples) - examples
        slope = positives / examples
        intercept = true_above - slope * above  # 0 for the first bucket
        logarithm = np.log((above + examples) / np.maximum(above, 1))
        area = slope * (positives + intercept * logarithm)
        return float(area.sum()), float(number)

    def add(self, labels: Numbers, predictions: Numbers, *, threshold: float = 0.5) -> None:
        """Add examples.

        Args:
            labels: Numbers `[examples]`, 0 or 1; fewer than 2 ** 15, whose
                losses an int64 can hold.
            predictions: Numbers `[examples]` in [0, 1], of the label 1.
            threshold: Decision threshold. The decision is positive if the prediction is larger,
                as in Keras's BinaryAccuracy. Only `confusion` depends on it.
        """
        scored = is_scored(labels, predictions)
        self.examples += len(labels)
        self.unscored += int(np.count_nonzero(~scored))
        label, predictions = labels[scored].astype(np.int64), predictions[scored].astype(np.float64)
        self.histogram += _count(label, auc_buckets(predictions), BUCKETS)
        self.confusion += _count(label, (predictions > threshold).astype(np.int64), 2)
        units = _in_units(predictions)
        excess = np.zeros(_BINS, np.int64)
        np.add.at(excess, calibration_bins(predictions), units - label * _UNIT)
        self._excess += excess.astype(np.object_)
        self._loss += int(_in_units(cross_entropies(label, predictions)).sum())
        self._predictions += int(units.sum())

    def merge(self, other: Totals) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def is_scored(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.bool_]:
    """Return which examples have a probability as score, and 0 or 1 as label."""
    # A comparison with NaN is false.
    in_range: npt.NDArray[np.bool_] = (predictions >= 0) & (predictions <= 1)
    return in_range & np.isin(labels, (0, 1))


def cross_entropies(labels: Numbers, predictions: Numbers) -> Numbers:
    """Return the loss of each example, in nats; that of a saturated prediction is finite."""
    of_label = np.where(labels == 1, predictions, 1 - predictions)
    losses: Numbers = -np.log(np.clip(of_label, _EPSILON, None))
    return losses


def auc_buckets(predictions: Numbers) -> npt.NDArray[np.int64]:
    """Return the bucket of `Totals.histogram` of each prediction."""
    return _part(predictions, BUCKETS)


def calibration_bins(predictions: Numbers) -> npt.NDArray[np.int64]:
    """Return the bin of `Totals.excess` of each prediction."""
    return _part(predictions, _BINS)


def _in_units(values: Numbers) -> npt.NDArray[np.int64]:
    units: npt.NDArray[np.int64] = np.rint(values * _UNIT).astype(np.int64)
    return units


def _part(predictions: Numbers, parts: int) -> npt.NDArray[np.int64]:
    """Return which of `parts` equal parts of [0, 1] each prediction is in."""
    return np.minimum((predictions * parts).astype(np.int64), parts - 1)


def _count(label: Numbers, column: Numbers, columns: int) -> npt.NDArray[np.int64]:
    return np.bincount(label * columns + column, minlength=2 * columns).reshape(2, columns)
