"""Learns vectors of texts from their n-grams, and a logistic regression on the vectors.

The vectors come from texts with and without a label. They help because n-grams that occur in
similar texts have similar vectors, so that rare n-grams are understood by frequent ones.

The method joins latent semantic analysis (Deerwester et al., 1990), with weights that depend on
the sentiment (Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011), and
document vectors as weighted sums of the vectors of n-grams (Thongtan and Phienthrakul, ACL
Student Research Workshop 2019).
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, special
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from components.trainer.models.ngram.nb_svm import Floats, class_counts, log_count_ratios

# benchmarks/TUNING.md has the results of other values.
_MIN_TEXTS = 10
_MIN_RATIO = 0.1
_FACTOR_POWER = 0.5
_VECTOR_POWER = 0.75
_COST = 3.0
_LENGTH = 4.0  # about the length of the vector of a text, by which it is divided
_OVERSAMPLING = 12
_POWER_ITERATIONS = 2
_BLOCKS = 16
# The columns that are multiplied at a time fit into the cache, which halves the time.
_COLUMNS = 48


class DocumentVectors(NamedTuple):
    """A logistic regression on the n-gram model's logit and on the vector of a text.

    Both the vector and the regression are linear, so no vectors are needed to predict. The
    logit of a text is `scale * logit + sum(weights) / sqrt(sum(squares)) + bias`, where `logit`
    is that of the n-gram model, and the sums are over the text's selected n-grams.

    Attributes:
        scale: Factor of the n-gram model's logit.
        weights: float32 `[selected]`.
        squares: float32 `[selected]`.
        bias: The addend of all texts.
        out_of_fold: float32 `[texts]`, the logits of the labelled texts, each by a regression
            that did not learn from the text.
    """

    scale: float
    weights: Floats
    squares: Floats
    bias: float
    out_of_fold: Floats


class Texts(NamedTuple):
    """Texts, and the n-gram model's opinion of them.

    Attributes:
        presence: 0-1 `[texts, ngrams]`.
        logits: float32 `[texts]`, calibrated. Those of labelled texts are by models that did
            not learn from the text.
    """

    presence: sparse.csr_matrix
    logits: Floats


class Selection(NamedTuple):
    """The n-grams that get a vector.

    Attributes:
        indices: int64 `[selected]`, of all n-grams.
        strength: float32 `[selected]`, the absolute log-count ratios.
        presence: 0-1 `[texts, selected]`, of the labelled texts, then of the others.
    """

    indices: npt.NDArray[np.int64]
    strength: Floats
    presence: sparse.csr_matrix


def select_ngrams(labelled: Texts, unlabelled: Texts | None) -> Selection | None:
    """Select the n-grams that are frequent and indicate a label; None if there are none."""
    groups = [labelled] if unlabelled is None else [labelled, unlabelled]
    # The labels are not used here: they would tell each text's own label to its vector.
    counts = np.sum(
        [class_counts(part.presence, special.expit(part.logits)) for part in groups], axis=0
    )
    strength = np.abs(log_count_ratios(counts))
    indices = np.flatnonzero((counts.sum(0) >= _MIN_TEXTS) & (strength > _MIN_RATIO))
    if not len(indices):
        return None
    presence = sparse.vstack([part.presence[:, indices] for part in groups], format='csr')
    presence.sort_indices()
    return Selection(indices, strength[indices], presence)


# With another number of threads, BLAS adds up in another order.
@threadpool_limits.wrap(limits=1, user_api='blas')
def learn_vectors(
    selection: Selection,
    logits: Floats,
    labels: npt.NDArray[np.int8],
    halves: npt.NDArray[np.bool_],
    *,
    dimensions: int,
    seed: int,
) -> DocumentVectors:
    """Learn vectors of n-grams, and a regression on the vectors of the labelled texts.

    The result is the same to the last bit for any number of threads.

    Args:
        selection: The n-grams, see `select_ngrams`.
        logits: float32 `[labelled]`, see `Texts`.
        labels: 0 or 1 `[labelled]`.
        halves: bool `[labelled]`, the halves for the out-of-fold logits, see `draw_halves`.
        dimensions: Width of the vectors.
        seed: Seed of the factorisation.

    Returns:
        The regression, with weights for the selected n-grams.
    """
    _, strength, presence = selection
    texts_with = presence.T.tocsr()
    texts_with.data = presence.data  # all are 1
    texts = _factorise(presence, texts_with, strength**_FACTOR_POWER, dimensions, seed)
    vectors = _product(texts_with, texts)
    parts = np.array_split(vectors, _BLOCKS)  # limits the memory
    lengths = np.concatenate([np.linalg.norm(part, axis=1) for part in parts])
    lengths[lengths == 0] = 1
    factors = strength**_VECTOR_POWER
    vectors *= (factors / lengths)[:, np.newaxis]

    presence = presence[: len(labels)]
    sums = _product(presence, vectors)
    # A text is part of the vectors of its n-grams. Without this, its vector would be closer to
    # itself than that of a new text.
    sums -= texts[: len(labels)] * (presence @ (factors / lengths))[:, np.newaxis]
    sizes = _LENGTH * np.sqrt(presence @ np.square(factors))
    inputs = np.column_stack([logits, sums / np.where(sizes > 0, sizes, 1)[:, np.newaxis]])
    out_of_fold = np.zeros(len(labels), np.float32)
    for part in (halves, ~halves):
        out_of_fold[~part] = _regress(inputs[part], labels[part]).decision_function(inputs[~part])
    regression = _regress(inputs, labels)
    (scale, *direction), (bias,) = regression.coef_[0], regression.intercept_
    weights = vectors @ np.float32(direction) / _LENGTH
    return DocumentVectors(float(scale), weights, np.square(factors), float(bias), out_of_fold)


def _factorise(
    presence: sparse.csr_matrix,
    texts_with: sparse.csr_matrix,
    weights: Floats,
    dimensions: int,
    seed: int,
) -> Floats:
    """Return the left singular vectors of the weighted presence, by descending singular value.

    Each row is scaled to length 1. The decomposition is a randomised one (Halko, Martinsson and
    Tropp, SIAM Review 53, 2011, algorithm 4.4).

    Args:
        presence: 0-1 `[texts, ngrams]`.
        texts_with: The transpose.
        weights: float32 `[ngrams]`.
        dimensions: Number of singular vectors.
        seed: Seed of the random start.

    Returns:
        float32 `[texts, dimensions]`, with fewer columns if the rank is lower.
    """
    lengths = np.sqrt(presence @ np.square(weights))
    scales = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)[:, np.newaxis]

    def of_ngrams(basis: Floats) -> Floats:
        product = _product(texts_with, scales * basis)
        product *= weights[:, np.newaxis]
        return product

    width = min(dimensions + _OVERSAMPLING, *presence.shape)
    basis = np.random.default_rng(seed).standard_normal([presence.shape[0], width], np.float32)
    for _ in range(_POWER_ITERATIONS):
        for first in range(0, width, _COLUMNS):  # limits the memory
            product = of_ngrams(basis[:, first : first + _COLUMNS])
            product *= weights[:, np.newaxis]
            basis[:, first : first + _COLUMNS] = scales * _product(presence, product)
        basis, _ = np.linalg.qr(basis)
    product = of_ngrams(basis)
    squares, rotation = np.linalg.eigh(product.T @ product)
    rank = np.count_nonzero(squares > 1e-6 * squares[-1])
    vectors: Floats = basis @ rotation[:, ::-1][:, : min(dimensions, rank)]
    return vectors


def _product(matrix: sparse.csr_matrix, dense: Floats) -> Floats:
    """Return `matrix @ dense`, on all cores."""
    product = np.empty([matrix.shape[0], dense.shape[1]], np.float32)
    shares = np.linspace(0, matrix.nnz, _BLOCKS + 1)[1:-1]
    bounds = [0, *np.searchsorted(matrix.indptr, shares), matrix.shape[0]]

    # SciPy multiplies without the global interpreter lock.
    with ThreadPoolExecutor() as pool:
        for first in range(0, dense.shape[1], _COLUMNS):
            columns = slice(first, first + _COLUMNS)
            part = np.ascontiguousarray(dense[:, columns])
            fill = functools.partial(_fill, product[:, columns], matrix, part)
            list(pool.map(fill, bounds, bounds[1:]))
    return product


def _fill(product: Floats, matrix: sparse.csr_matrix, dense: Floats, start: int, stop: int) -> None:
    product[start:stop] = matrix[start:stop] @ dense


def _regress(inputs: Floats, labels: npt.NDArray[np.int8]) -> LogisticRegression:
    return LogisticRegression(C=_COST, solver='newton-cholesky').fit(inputs, labels)
