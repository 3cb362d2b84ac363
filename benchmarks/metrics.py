"""Computes the same metrics for all contenders."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

_ECE_BINS = 15
_EPSILON = 1e-7

Floats = npt.NDArray[np.float64]


def quality(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> dict[str, Any]:
    """Compute all metrics.

    Args:
        labels: 0 or 1, `[examples]`, both present.
        probabilities: Probabilities of label 1, `[examples]`, in [0, 1] up to rounding
            errors of float32.

    Returns:
        `examples`, `accuracy`, `auc`, `average_precision`, `ece` and `log_loss`, as plain
        numbers. The loss is in nats, with probabilities in [1e-7, 1 - 1e-7].

    Raises:
        ValueError: The lengths differ, or a value is not a probability.
    """
    truth = np.asarray(labels, dtype=np.float64)
    predicted = np.asarray(probabilities, dtype=np.float64)
    if not np.all((predicted > -1e-3) & (predicted < 1 + 1e-3)):
        raise ValueError('expected probabilities in [0, 1]')
    predicted = np.clip(predicted, 0, 1)
    return {
        'examples': len(truth),
        'accuracy': accuracy(truth, predicted),
        'auc': float(roc_auc_score(truth, predicted)),
        'average_precision': float(average_precision_score(truth, predicted)),
        'ece': expected_calibration_error(truth, predicted),
        'log_loss': float(log_loss(truth, np.clip(predicted, _EPSILON, 1 - _EPSILON))),
    }


def accuracy(labels: Floats, probabilities: Floats) -> float:
    """Return the share of examples whose probability is on the right side of 0.5."""
    return float(np.mean((probabilities > 0.5) == (labels == 1)))


def expected_calibration_error(labels: Floats, probabilities: Floats) -> float:
    """Return the mean difference between probability and share of positives.

    [0, 1] is divided into 15 bins of equal width. The difference between the mean
    probability and the share of positives in each bin is weighted by the number of
    its examples.

    >>> expected_calibration_error(np.array([0.0, 1, 1]), np.array([0.2, 0.8, 0.8]))
    0.2
    """
    index = np.minimum((probabilities * _ECE_BINS).astype(np.int64), _ECE_BINS - 1)
    surplus = np.bincount(index, probabilities - labels, _ECE_BINS)
    return round(float(np.abs(surplus).sum() / len(labels)), 12)
