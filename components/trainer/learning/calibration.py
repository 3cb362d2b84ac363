"""Calibrates scores: maps them to logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression


class Calibration(NamedTuple):
    """Maps a score to the logit `scale * score + shift`."""

    scale: float
    shift: float


def calibrate(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int8]) -> Calibration:
    """Fit a logistic regression of the label on the score.

    Platt's targets keep it finite where the scores separate the labels (Platt, 1999).

    Args:
        scores: float32 `[texts]`, each by a model that did not learn from the text.
        labels: 0 or 1 `[texts]`.

    Example:
        >>> calibration = calibrate(np.float32([-1, -1, 1, 1]), np.int8([0, 0, 1, 1]))
        >>> round(calibration.scale, 2)
        1.1
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # scikit-learn refuses targets between 0 and 1. So each text occurs with both labels, and its
    # target is the weight of the positive one.
    inputs = np.tile(scores.astype(np.float64), 2)[:, np.newaxis]
    size = max(float(np.abs(scores).max(initial=0)), 1e-6)
    model = LogisticRegression(penalty=None, tol=1e-8, max_iter=1_000)
    model.fit(
        inputs / size,
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    return Calibration(float(model.coef_[0, 0]) / size, float(model.intercept_[0]))


def missing_shift(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> float:
    """Return the number to add to all logits so that their expected positives are correct.

    Args:
        logits: float32 `[texts]`.
        labels: 0 or 1 `[texts]`. If all are equal, half a text counts as the other label,
            so that the result is finite.

    Example:
        >>> round(missing_shift(np.float32([0, 0, 0]), np.float32([1, 0, 0])), 3)
        -0.693
    """
    positives = np.clip(labels.sum(), 0.5, len(labels) - 0.5)

    def excess(shift: float) -> float:
        return float(special.expit(logits.astype(np.float64) + shift).sum() - positives)

    # With a larger shift, all texts are expected to be positive, or none.
    limit = float(np.abs(logits).max()) + 50
    return float(optimize.brentq(excess, -limit, limit, xtol=1e-7))
