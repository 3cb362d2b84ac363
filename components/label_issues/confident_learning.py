"""Finds examples whose label is probably wrong, by confident learning.

Source: Northcutt, Jiang and Chuang (2021), Confident Learning: Estimating Uncertainty in Dataset
Labels, Journal of Artificial Intelligence Research 70, <https://doi.org/10.1613/jair.1.12125>.
The method is the paper's *prune by noise rate*, for two labels. Decision record 8 compares it
with the package `cleanlab`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]


def find_label_errors(labels: Labels, probabilities: Numbers) -> npt.NDArray[np.int64]:
    """Return the rows of the examples whose label is probably wrong.

    The result does not depend on the order of the examples, except for its order of equal ones.

    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int8)
    >>> probabilities = np.array([0.1, 0.2, 0.1, 0.9, 0.8, 0.9, 0.9, 0.05])
    >>> find_label_errors(labels, probabilities).tolist()
    [7, 3]

    Args:
        labels: int8 `[examples]`, 0 or 1: the given labels.
        probabilities: float64 `[examples]` in [0, 1]: probability of the label 1, predicted by a
            model that did not learn from the example. Examples with another number, such as NaN,
            are ignored.

    Returns:
        int64 `[errors]`: indices of examples, the lowest probability of the given label first. All
        of these probabilities are below 0.5. Empty if only one label occurs.
    """
    scored = np.flatnonzero((probabilities >= 0) & (probabilities <= 1))
    given = labels[scored]
    confidence = np.where(given == 1, probabilities[scored], 1 - probabilities[scored])
    suspected = np.zeros(len(scored), bool)
    for label, count in enumerate(count_label_errors(given, probabilities[scored])):
        of_label = given == label
        if count:
            # Examples that are as suspicious as the last one, such as equal texts, count as well.
            worst = np.partition(confidence[of_label], count - 1)[count - 1]
            suspected |= of_label & (confidence <= worst) & (confidence < 0.5)
    rows = np.flatnonzero(suspected)
    errors: npt.NDArray[np.int64] = scored[rows[np.argsort(confidence[rows], kind='stable')]]
    return errors


def count_label_errors(labels: Labels, probabilities: Numbers) -> tuple[int, int]:
    """Estimate how many examples of each given label belong to the other label.

    An example counts confidently for a label if its probability of the label is at least the mean
    over the examples that have the label. The shares among these examples, which are the
    *confident joint*, hold for all examples of a given label.

    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int8)
    >>> count_label_errors(labels, np.array([0.1, 0.2, 0.1, 0.9, 0.8, 0.9, 0.9, 0.05]))
    (1, 1)

    Args:
        labels: int8 `[examples]`, 0 or 1: the given labels.
        probabilities: float64 `[examples]` in [0, 1]: probability of the label 1.

    Returns:
        The numbers for the given labels 0 and 1. At least one example of each label is correct;
        (0, 0) if only one label occurs.
    """
    of_label = [labels == label for label in (0, 1)]
    if not all(map(np.any, of_label)):
        return 0, 0
    of_both = np.stack([1 - probabilities, probabilities], axis=1)
    thresholds = [of_both[rows, label].mean() for label, rows in enumerate(of_label)]
    # A mean of equal numbers may be larger than each of them by rounding.
    confident = of_both >= np.array(thresholds) - 1e-6
    likely = np.where(confident.all(axis=1), of_both.argmax(axis=1), confident.argmax(axis=1))
    counted = confident.any(axis=1)
    errors = []
    for label, rows in enumerate(of_label):
        agreeing = max(1, int((rows & counted & (likely == label)).sum()))
        other = int((rows & counted & (likely != label)).sum())
        total = int(rows.sum())
        errors.append(min(round(total * other / (agreeing + other)), total - 1))
    return errors[0], errors[1]
