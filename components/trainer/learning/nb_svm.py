"""Fits naive Bayes ratios of n-grams, and a linear SVM on these.

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
# At a cost of 100, the solver can need more passes than scikit-learn's default of 1,000.
_MAX_PASSES = 10_000


class LinearModel(NamedTuple):
    """A linear model of the n-grams of a text.

    The score of a text is `sum(weights) / sqrt(sum(ratios ** 2)) + bias`, where the sums
    are over its n-grams.

    Attributes:
        weights: float32 `[ngrams]`, the weights of the SVM, multiplied by the ratios.
        ratios: float32 `[ngrams]`, see `naive_bayes_ratios`.
        bias: Score of a text without n-grams.
    """

    weights: Floats
    ratios: Floats
    bias: float

    def scores(self, presence: sparse.csr_matrix) -> Floats:
        """Return the scores, float32 `[texts]`, of 0-1 `[texts, ngrams]`."""
        norms = np.sqrt(presence @ np.square(self.ratios))
        sums = presence @ self.weights
        scores: Floats = sums / np.where(norms > 0, norms, 1) + np.float32(self.bias)
        return scores


class Unlabelled(NamedTuple):
    """Texts without a label, which improve the ratios.

    Attributes:
        presence: 0-1 `[texts, ngrams]`.
        weight: Weight of all of them, relative to that of all texts with a label.
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

    A first model predicts labels for the texts without one. The final model has ratios of
    all texts, and learns its weights from the labelled texts. This helps because most
    n-grams are in few labelled texts.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: 0 or 1 `[texts]`; both must occur.
        cost: C of the SVM.
        unlabelled: Texts without a label.
    """
    counts = np.stack(_counts(presence, labels))
    model = _fit_weights(presence, labels, _ratios(*counts), cost)
    if unlabelled is None:
        return model
    predicted = (model.scores(unlabelled.presence) > 0).astype(np.int8)
    # No text has a higher weight than a labelled one.
    weight = min(1.0, unlabelled.weight * len(labels) / unlabelled.presence.shape[0])
    counts += np.float32(weight) * np.stack(_counts(unlabelled.presence, predicted))
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

    It is the logarithm of the n-gram's share of all n-grams in positive texts, divided by
    its share in negative texts.

    >>> presence = sparse.csr_matrix(np.array([[1, 0], [1, 1]], np.float32))
    >>> naive_bayes_ratios(presence, np.array([0, 1], np.int8)).astype(float).round(3).tolist()
    [-0.357, 0.56]
    """
    return _ratios(*_counts(presence, labels))


def _counts(presence: sparse.csr_matrix, labels: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Return the numbers of positive and of negative texts that contain each n-gram."""
    return (
        presence.T @ labels.astype(np.float32),
        presence.T @ (1 - labels).astype(np.float32),
    )


def _ratios(positive: Floats, negative: Floats) -> Floats:
    # The smoothing is in proportion to the labels. If it were equal, n-grams that occur once or
    # twice, and only with the more frequent label, would indicate the rarer one.
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
    svm = LinearSVC(C=cost, dual=True, max_iter=_MAX_PASSES, random_state=0)
    svm.fit(rows, labels)
    return svm.coef_[0, :count].astype(np.float32), float(svm.intercept_[0])


def out_of_fold_scores(
    presence: sparse.csr_matrix,
    labels: npt.NDArray[np.int8],
    cost: float,
    seed: int,
    unlabelled: Unlabelled | None = None,
) -> Floats:
    """Score each half of the texts with a model of the other half.

    The scores of texts that a model learned from are too good for a calibration. The
    halves are random and stratified by label, and both ratios and weights are fitted for
    each. Five folds in place of two did not improve the result.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: 0 or 1 `[texts]`, each at least twice.
        cost: C of the SVM.
        seed: Seed of the halves.
        unlabelled: Texts without a label.

    Returns:
        float32 `[texts]`.
    """
    scores = np.zeros(len(labels), np.float32)
    # Not in parallel, because all threads share the random number generator of LIBLINEAR.
    for learned, scored in StratifiedKFold(2, shuffle=True, random_state=seed).split(
        labels, labels
    ):
        model = fit_nb_svm(presence[learned], labels[learned], cost, unlabelled)
        scores[scored] = model.scores(presence[scored])
    return scores
