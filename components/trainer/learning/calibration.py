"""From scores to logits: a logistic regression on what was not learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special


class Calibration(NamedTuple):
    """From a score to a logit: `scale * score + shift`."""

    scale: float
    shift: float


def calibrate(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int8]) -> Calibration:
    """Fit a logistic regression of the label on the score.

    With Platt's targets, which keep it finite where scores part the labels
    (Platt, 1999), by Newton's method with halved steps (Lin, Lin and Weng, 2007).

    Args:
        scores: float32 `[texts]`, of texts that were not learned from.
        labels: 0 or 1 `[texts]`.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    inputs = np.stack([scores.astype(np.float64), np.ones(len(scores))])

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        logits = parameters @ inputs
        return float(np.sum(np.logaddexp(0, logits) - targets * logits))

    found = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(100):
        probabilities = 1 / (1 + np.exp(-(found @ inputs)))
        gradient = inputs @ (probabilities - targets)
        hessian = (inputs * (probabilities * (1 - probabilities))) @ inputs.T
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        part = 1.0
        while part > 1e-6 and loss(found - part * step) > loss(found):
            part /= 2
        found = found - part * step
        if np.abs(part * step).max() < 1e-8:
            break
    return Calibration(float(found[0]), float(found[1]))


def missing_shift(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> float:
    """Return what to add to all logits so that they expect as many positives as there are.

    By Newton's method; nothing is learned but this one number.

    Args:
        logits: float32 `[texts]`.
        labels: 0 or 1 `[texts]`. If all are one, half a text is taken for the other,
            which keeps the shift finite.
    """
    positives = np.clip(labels.sum(), 0.5, len(labels) - 0.5)
    shift = 0.0
    for _ in range(100):
        probabilities = special.expit(logits.astype(np.float64) + shift)
        slope = np.sum(probabilities * (1 - probabilities))
        # Where all is certain, the slope is nothing, and a whole step goes nowhere.
        step = np.clip((positives - probabilities.sum()) / max(slope, 1e-9), -1.0, 1.0)
        shift += step
        if abs(step) < 1e-6:
            break
    return float(shift)
