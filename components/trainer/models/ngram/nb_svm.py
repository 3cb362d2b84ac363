"""Fits naive Bayes ratios of n-grams, a linear SVM on these, and a calibration.

Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification" (ACL 2012), with rows scaled to length 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression
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
        ratios: float32 `[ngrams]`, the log-count ratios.
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

    def scaled(self, scale: float, shift: float) -> LinearModel:
        """Return the model with the scores `scale * score + shift`."""
        return LinearModel(scale * self.weights, self.ratios, scale * self.bias + shift)


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
    counts = class_counts(presence, labels)
    model = _fit_weights(presence, labels, log_count_ratios(counts), cost)
    if unlabelled is None:
        return model
    predicted = (model.scores(unlabelled.presence) > 0).astype(np.int8)
    # No text has a higher weight than a labelled one.
    weight = min(1.0, unlabelled.weight * len(labels) / unlabelled.presence.shape[0])
    counts += np.float32(weight) * class_counts(unlabelled.presence, predicted)
    return _fit_weights(presence, labels, log_count_ratios(counts), cost)


def class_counts(presence: sparse.csr_matrix, labels: npt.NDArray[Any]) -> Floats:
    """Return the numbers of positive and of negative texts with each n-gram.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: `[texts]`, 0 or 1, or probabilities of the label 1.

    Returns:
        float32 `[2, ngrams]`.
    """
    return np.stack([presence.T @ of_label.astype(np.float32) for of_label in (labels, 1 - labels)])


def log_count_ratios(counts: Floats) -> Floats:
    """Return the log-count ratios of `[2, ngrams]`, float32 `[ngrams]`.

    The log-count ratio of an n-gram is the logarithm of its share of all n-grams in positive
    texts, divided by its share in negative texts.
    """
    positive, negative = counts
    # The smoothing is in proportion to the labels. If it were equal, n-grams that occur once or
    # twice, and only with the more frequent label, would indicate the rarer one.
    share = np.clip(positive.sum() / max(positive.sum() + negative.sum(), 1), 1e-3, 1 - 1e-3)
    positive = positive + np.float32(2 * _SMOOTHING * share)
    negative = negative + np.float32(2 * _SMOOTHING * (1 - share))
    ratios: Floats = np.log((positive / positive.sum()) / (negative / negative.sum()))
    return ratios.astype(np.float32)


def _fit_weights(
    presence: sparse.csr_matrix, labels: npt.NDArray[np.int8], ratios: Floats, cost: float
) -> LinearModel:
    """Minimise `(|w|² + b²) / 2 + C Σ max(0, 1 - y (w·x + b))²` with LIBLINEAR.

    The row x of a text has the ratios of its n-grams, scaled to length 1.
    """
    count = len(ratios)
    norms = np.sqrt(presence @ np.square(ratios))
    values = ratios[presence.indices]
    values /= np.repeat(np.where(norms > 0, norms, 1), np.diff(presence.indptr))
    rows = sparse.csr_matrix(
        # scikit-learn copies rows of another type, which takes gigabytes on large data.
        (values.astype(np.float64), presence.indices, presence.indptr),
        # scikit-learn refuses rows without features.
        shape=(len(labels), max(count, 1)),
    )
    del values
    svm = LinearSVC(C=cost, dual=True, max_iter=_MAX_PASSES, random_state=0)
    svm.fit(rows, labels)
    weights = svm.coef_[0, :count].astype(np.float32)
    return LinearModel(weights * ratios, ratios, float(svm.intercept_[0]))


def draw_halves(
    texts: npt.NDArray[np.uint64], labels: npt.NDArray[np.int8], seed: int
) -> npt.NDArray[np.bool_] | None:
    """Divide the texts into two random halves, for `out_of_fold_scores`.

    Equal texts are in the same half: otherwise a model would know the label of a text that it
    has to score. The halves are drawn from distinct texts, and are stratified by the label that
    most of the equal texts have.

    Args:
        texts: `[texts]`, the same number for equal texts, see `LabelledTokens.bags`.
        labels: 0 or 1 `[texts]`.
        seed: Seed of the halves.

    Returns:
        bool `[texts]`, whether a text is in the first half; None if the texts cannot be
        divided so that each half has both labels.

    Example:
        >>> texts = np.uint64([4, 4, 7, 7, 2, 9])
        >>> draw_halves(texts, np.int8([0, 0, 1, 1, 1, 0]), seed=1).tolist()
        [False, False, False, False, True, True]
    """
    _, first, which, counts = np.unique(
        texts, return_index=True, return_inverse=True, return_counts=True
    )
    majority = 2 * np.bincount(which, labels) > counts
    if majority.sum() < 2 or (~majority).sum() < 2:
        majority[:] = False  # too few to stratify
    if len(first) < 2:
        return None
    # In the order of the texts, so that equal texts do not change the halves of the others.
    order = np.argsort(first)
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)
    half, _ = next(folds.split(order, majority[order]))
    is_first = np.isin(which, order[half])
    both = all(0 < labels[part].mean() < 1 for part in (is_first, ~is_first))
    return is_first if both else None


def out_of_fold_scores(
    presence: sparse.csr_matrix,
    labels: npt.NDArray[np.int8],
    cost: float,
    halves: npt.NDArray[np.bool_],
    unlabelled: Unlabelled | None = None,
) -> Floats:
    """Score each half of the texts with a model of the other half.

    The scores of texts that a model learned from are too good for a calibration. Both ratios
    and weights are fitted for each half. Five folds in place of two did not improve the
    result.

    Args:
        presence: 0-1 `[texts, ngrams]`.
        labels: 0 or 1 `[texts]`.
        cost: C of the SVM.
        halves: bool `[texts]`, see `draw_halves`.
        unlabelled: Texts without a label.

    Returns:
        float32 `[texts]`.
    """
    scores = np.zeros(len(labels), np.float32)
    # Not in parallel, because all threads share the random number generator of LIBLINEAR.
    for learned in (halves, ~halves):
        model = fit_nb_svm(presence[learned], labels[learned], cost, unlabelled)
        scores[~learned] = model.scores(presence[~learned])
    return scores


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
