"""Naive Bayes ratios and a linear SVM on them.

Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification" (ACL 2012), with rows scaled to length 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]

_SMOOTHING = 1.0
_NEWTON_STEPS = 30
_CG_STEPS = 12
# Of the first gradient, where labels are balanced; in proportion to the share of the rarer label,
# as in LIBLINEAR, since else the rule would be met before that one is learned.
_GRADIENT_TOLERANCE = 5e-3
# Of the minimum: how far above it the objective may be. The first gradient grows with the cost and
# the minimum hardly does, so that at a cost of 100 the rule above alone stops up to 8% too early.
_GAP_TOLERANCE = 0.01
# Of the right-hand side of each Newton step: early ones need not be exact (Dembo, Eisenstat and
# Steihaug, 1982). On IMDB, 63 products of rows and weights take it three times as near to the
# minimum as 76 did, where each step was solved to 0.01.
_RESIDUAL_TOLERANCE = 0.3


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
    """Minimise `(|w|² + b²) / 2 + C Σ max(0, 1 - y (w·x + b))²` by Newton's method.

    Each step solves for its direction by conjugate gradients (Keerthi and
    DeCoste, JMLR 2005), and is halved until it descends. At the end, half the
    gradient's square is the gap between the objective and its dual, with errors
    times 2 C as the dual's variables: no minimum is further below than that.

    Args:
        rows: float32 `[texts, features]`.
        labels: 0 or 1 `[texts]`.
        cost: C.

    Returns:
        w, float32 `[features]`, and b.
    """
    # The bias is the weight of one more feature that is always 1.
    signs = np.where(labels > 0, 1, -1).astype(np.float32)
    columns = rows.T

    def times(vector: Floats) -> Floats:
        product: Floats = rows @ vector[:-1] + vector[-1]
        return product

    def transposed_times(vector: Floats) -> Floats:
        return np.append(columns @ vector, vector.sum(dtype=np.float32))

    def objective(weights: Floats, outputs: Floats) -> float:
        slack = np.maximum(0, 1 - signs * outputs)
        return float(0.5 * (weights @ weights) + cost * (slack @ slack))

    weights = np.zeros(rows.shape[1] + 1, np.float32)
    outputs = np.zeros(len(signs), np.float32)
    first_norm = 0.0
    rarer = min(int(labels.sum()), len(labels) - int(labels.sum()))
    tolerance = _GRADIENT_TOLERANCE * 2 * max(rarer, 1) / len(labels)
    for _ in range(_NEWTON_STEPS):
        active = signs * outputs < 1
        errors = np.where(active, outputs - signs, np.float32(0))
        gradient = weights + np.float32(2 * cost) * transposed_times(errors)
        norm = float(np.linalg.norm(gradient))
        first_norm = first_norm or norm
        before, gap = objective(weights, outputs), norm * norm / 2
        if norm <= tolerance * first_norm and gap <= _GAP_TOLERANCE * (before - gap):
            break
        step, moved = np.zeros_like(weights), np.zeros_like(outputs)
        residual = -gradient
        direction = residual.copy()
        square = float(residual @ residual)
        stop = square * _RESIDUAL_TOLERANCE**2
        for _ in range(_CG_STEPS):
            along = times(direction)
            curved = direction + np.float32(2 * cost) * transposed_times(
                np.where(active, along, np.float32(0))
            )
            length = np.float32(square / float(direction @ curved))
            step += length * direction
            moved += length * along
            residual -= length * curved
            previous, square = square, float(residual @ residual)
            if square <= stop:
                break
            direction = residual + np.float32(square / previous) * direction
        part = np.float32(1)
        while objective(weights + part * step, outputs + part * moved) > before and part > 1e-3:
            part /= np.float32(2)
        weights, outputs = weights + part * step, outputs + part * moved
    return weights[:-1], float(weights[-1])


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
    refitted with the weights. Five folds gave no more than two.

    Returns:
        float32 `[texts]`.
    """
    half = np.zeros(len(labels), np.int8)
    rng = np.random.default_rng(seed)
    for label in (0, 1):
        mine = rng.permutation(np.flatnonzero(labels == label))
        half[mine[::2]] = 1
    scores = np.zeros(len(labels), np.float32)

    def score(fold: int) -> None:
        learned, scored = np.flatnonzero(half != fold), np.flatnonzero(half == fold)
        model = fit_nb_svm(presence[learned], labels[learned], cost, unlabelled)
        scores[scored] = model.scores(presence[scored])

    # Products of sparse matrices are computed without Python's lock.
    with ThreadPoolExecutor() as pool:
        list(pool.map(score, (0, 1)))
    return scores
