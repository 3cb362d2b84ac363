"""Naive Bayes ratios and a linear SVM on them.

Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification" (ACL 2012), with rows scaled to length 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

Floats = npt.NDArray[np.float32]

_SMOOTHING = 1.0


class LinearModel(NamedTuple):
    """What scores a text by its n-grams.

    The score is `sum(weights) / sqrt(sum(ratios ** 2)) + bias`, over the
    n-grams that the text has.

    Attributes:
        weights: float32 `[ngrams]`: the SVM's, times the ratios.
        ratios: float32 `[ngrams]`: logarithm of how much likelier a positive
            text is to have the n-gram than a negative one.
        bias: Score of a text without n-grams.
    """

    weights: Floats
    ratios: Floats
    bias: float

    def scores(self, presence: sparse.csr_matrix) -> Floats:
        """Score texts: float32 `[texts]` from 0-1 `[texts, ngrams]`."""
        norms = np.sqrt(presence @ np.square(self.ratios))
        sums = presence @ self.weights
        scores: Floats = sums / np.where(norms > 0, norms, 1) + np.float32(self.bias)
        return scores


class Unlabelled(NamedTuple):
    """Texts without a label, from which the ratios learn.

    Attributes:
        presence: 0-1 `[texts, ngrams]`.
        weight: Of all of them, against that of all texts with a label.
    """

    presence: sparse.csr_matrix
    weight: float


def fit_nb_svm(
    presence: sparse.csr_matrix,
    labels: npt.NDArray[np.int8],
    cost: float,
    unlabelled: Unlabelled | None = None,
) -> LinearModel:
    """Fit ratios and weights.

    Texts without a label are given that which a first model gives them. The
    final one learns its weights from the labelled texts alone, but with ratios
    that count the others, too: most n-grams are in few texts with a label.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: 0 or 1 `[texts]`; both must occur.
        cost: The SVM's C.
        unlabelled: Further texts.
    """
    counts = np.stack(_counts(presence, labels))
    model = _fit_weights(presence, labels, _ratios(*counts), cost)
    if unlabelled is None:
        return model
    taken_for = (model.scores(unlabelled.presence) > 0).astype(np.int8)
    # No text counts for more than one with a label.
    weight = min(1.0, unlabelled.weight * len(labels) / unlabelled.presence.shape[0])
    counts += np.float32(weight) * np.stack(_counts(unlabelled.presence, taken_for))
    return _fit_weights(presence, labels, _ratios(*counts), cost)


def _fit_weights(
    presence: sparse.csr_matrix, labels: npt.NDArray[np.int8], ratios: Floats, cost: float
) -> LinearModel:
    rows = sparse.csr_matrix(
        (ratios[presence.indices], presence.indices, presence.indptr), shape=presence.shape
    )
    norms = np.sqrt(presence @ np.square(ratios))
    rows.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(rows.indptr))
    weights, bias = fit_svm(rows, labels, cost)
    return LinearModel(weights * ratios, ratios, bias)


def naive_bayes_ratios(presence: sparse.csr_matrix, labels: npt.NDArray[np.int8]) -> Floats:
    """Return the log-count ratio of each n-gram, float32 `[ngrams]`.

    >>> presence = sparse.csr_matrix(np.array([[1, 0], [1, 1]], np.float32))
    >>> naive_bayes_ratios(presence, np.array([0, 1], np.int8)).astype(float).round(3).tolist()
    [-0.357, 0.56]
    """
    return _ratios(*_counts(presence, labels))


def _counts(presence: sparse.csr_matrix, labels: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Return how many positive and how many negative texts have each n-gram."""
    return (
        presence.T @ labels.astype(np.float32),
        presence.T @ (1 - labels).astype(np.float32),
    )


def _ratios(positive: Floats, negative: Floats) -> Floats:
    # In proportion to the labels: else each n-gram that only the more frequent label has a time or
    # two would speak for the rarer one, whose texts are too few to have it.
    share = np.clip(positive.sum() / max(positive.sum() + negative.sum(), 1), 1e-3, 1 - 1e-3)
    positive = positive + np.float32(2 * _SMOOTHING * share)
    negative = negative + np.float32(2 * _SMOOTHING * (1 - share))
    ratios: Floats = np.log((positive / positive.sum()) / (negative / negative.sum()))
    return ratios.astype(np.float32)


def fit_svm(
    rows: sparse.csr_matrix, labels: npt.NDArray[np.int8], cost: float
) -> tuple[Floats, float]:
    """Minimise `(|w|² + b²) / 2 + C Σ max(0, 1 - y (w·x + b))²` with LIBLINEAR.

    Args:
        rows: float32 `[texts, features]`.
        labels: 0 or 1 `[texts]`; both must occur.
        cost: C.

    Returns:
        w, float32 `[features]`, and b.

    Example:
        >>> weights, bias = fit_svm(sparse.csr_matrix(np.float32([[-1], [1]])), np.int8([0, 1]), 1)
        >>> [round(float(value), 2) for value in (*weights, bias)]
        [0.8, 0.0]
    """
    count = rows.shape[1]
    if not count:
        # scikit-learn refuses rows without features.
        rows = sparse.csr_matrix((rows.shape[0], 1), dtype=np.float32)
    svm = LinearSVC(C=cost, dual=True, random_state=0)
    svm.fit(rows, labels)
    return svm.coef_[0, :count].astype(np.float32), float(svm.intercept_[0])


def out_of_fold_scores(
    presence: sparse.csr_matrix,
    labels: npt.NDArray[np.int8],
    cost: float,
    seed: int,
    unlabelled: Unlabelled | None = None,
) -> Floats:
    """Score each half of the texts by a model of the other half.

    A model's scores of texts that it learned from are too good to calibrate by,
    or to correct. The halves are drawn at random, label by label; ratios are
    fitted again with the weights. Five folds gave no more than two.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: 0 or 1 `[texts]`, each at least twice.
        cost: The SVM's C.
        seed: Seed of the halves.
        unlabelled: Texts without a label.

    Returns:
        float32 `[texts]`.
    """
    scores = np.zeros(len(labels), np.float32)
    # One after the other: LIBLINEAR has one random number generator for all threads.
    for learned, scored in StratifiedKFold(2, shuffle=True, random_state=seed).split(
        labels, labels
    ):
        model = fit_nb_svm(presence[learned], labels[learned], cost, unlabelled)
        scores[scored] = model.scores(presence[scored])
    return scores
