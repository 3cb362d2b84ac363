"""Computes the same metrics for all contenders.

They do not use scikit-learn, because its import would count as time and memory of each peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

ECE_BINS = 15

_EPSILON = 1e-7

Floats = npt.NDArray[np.float64]


def quality(labels: Sequence[int] | Any, probabilities: Sequence[float] | Any) -> dict[str, Any]:
    """Compute all metrics.

    Args:
        labels: 0 or 1, `[examples]`, both present.
        probabilities: Probabilities of label 1, `[examples]`, in [0, 1] up to rounding
            errors of float32.

    Returns:
        `examples`, `accuracy`, `auc`, `ece` and `log_loss`, as plain numbers.

    Raises:
        ValueError: The lengths differ, or a value is not a probability.
    """
    truth = np.asarray(labels, dtype=np.float64)
    predicted = np.asarray(probabilities, dtype=np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(
            f'expected one probability per label, got {truth.shape} labels and '
            f'{predicted.shape} probabilities'
        )
    if not np.all((predicted > -1e-3) & (predicted < 1 + 1e-3)):
        raise ValueError('expected probabilities in [0, 1]')
    predicted = np.clip(predicted, 0, 1)
    return {
        'examples': len(truth),
        'accuracy': float(np.mean((predicted > 0.5) == (truth == 1))),
        'auc': auc(truth, predicted),
        'ece': expected_calibration_error(truth, predicted),
        'log_loss': log_loss(truth, predicted),
    }


def auc(labels: Floats, probabilities: Floats) -> float:
    """Return the area under the ROC curve. A tie counts half.

    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.3, 0.9]))
    0.875
    """
    _, group, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    mean_rank = last_rank - (counts - 1) / 2
    positives = float(labels.sum())
    negatives = len(labels) - positives
    rank_sum = float(mean_rank[group.reshape(-1)][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(labels: Floats, probabilities: Floats) -> float:
    """Return the mean precision at the rank of each positive.

    More telling than the AUC if positives are rare. Ties share one rank.

    >>> average_precision(np.array([0.0, 1, 0, 1]), np.array([0.1, 0.3, 0.3, 0.9]))
    0.8333333333333333
    """
    _, group, counts = np.unique(-probabilities, return_inverse=True, return_counts=True)
    found = np.bincount(group.reshape(-1), labels)
    precision = np.cumsum(found) / np.cumsum(counts)
    return float(np.sum(found * precision) / labels.sum())


def expected_calibration_error(
    labels: Floats, probabilities: Floats, bins: int = ECE_BINS
) -> float:
    """Return the mean difference between probability and share of positives.

    [0, 1] is divided into bins of equal width. The difference between the mean
    probability and the share of positives in each bin is weighted by the number of
    its examples.

    >>> expected_calibration_error(np.array([0.0, 1, 1]), np.array([0.2, 0.8, 0.8]))
    0.2
    """
    index = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    surplus = np.bincount(index, probabilities, bins) - np.bincount(index, labels, bins)
    return round(float(np.abs(surplus).sum() / len(labels)), 12)


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """Return the mean binary cross-entropy in nats, with probabilities in [1e-7, 1 - 1e-7]."""
    kept = np.clip(probabilities, _EPSILON, 1 - _EPSILON)
    return float(-np.mean(labels * np.log(kept) + (1 - labels) * np.log(1 - kept)))
