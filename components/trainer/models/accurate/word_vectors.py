"""Computes word vectors from counts of neighbouring words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.common import features
from components.trainer.dataset import LabelledTokens

_CONTEXTS = 2_000  # number of most frequent words that are counted as neighbours
_DISTANCE = 3
_OCCURRENCES = 5_000  # maximum number of occurrences of a word that are counted
_OVERSAMPLING = 10
_POWER_ITERATIONS = 2
_WORDS_PER_PART = 1_000  # counted at a time, so that the counts fit into the cache
_NORM = 3.0  # about the norm of a hundred values with standard deviation 0.3


def word_vectors(data: LabelledTokens, words: int, dim: int, seed: int) -> npt.NDArray[np.float32]:
    """Factorise the positive pointwise mutual information of words and their neighbours.

    Neighbours are frequent words within three words, before and after separately,
    weighted by 1 / distance. The factorisation is a randomised singular value
    decomposition (Levy and Goldberg, 2014; Halko, Martinsson and Tropp, 2011). Of
    frequent words, a random sample of the occurrences is counted.

    Args:
        data: The texts; ids from 2 on are words, by descending frequency.
        words: Ids below this number have a vector.
        dim: Width of a vector.
        seed: Seed of the sample and of the random projection.

    Returns:
        float32 `[words, dim]`, rows of equal norm. Padding, the unknown word and words
        without neighbours are zero.
    """
    vectors = np.zeros([words, dim], np.float32)
    rng = np.random.default_rng(seed)
    information = _positive_information(_count_neighbours(data, words, rng))
    rank = min(dim, *information.shape)
    width = min(rank + _OVERSAMPLING, *information.shape)
    start = rng.standard_normal([information.shape[1], width]).astype(np.float32)
    basis, _ = np.linalg.qr(information @ start)
    for _ in range(_POWER_ITERATIONS):
        basis, _ = np.linalg.qr(information @ (information.T @ basis))
    left, values, _ = np.linalg.svd((information.T @ basis).T, full_matrices=False)
    vectors[:, :rank] = (basis @ left)[:, :rank] * np.sqrt(values[:rank])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float32] = np.where(
        norms > 1e-6, vectors * (_NORM / np.maximum(norms, 1e-6)), 0
    ).astype(np.float32)
    return scaled


def _count_neighbours(
    data: LabelledTokens, words: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return counts of the words before and after each word, `[words, 2 * contexts]`."""
    contexts = min(_CONTEXTS, words)
    lengths = np.diff(data.row_splits)
    # Texts are separated by padding, so that words of different texts are not neighbours.
    places = np.arange(len(data.tokens)) + np.repeat(
        _DISTANCE * np.arange(1, len(lengths) + 1), lengths
    )
    neighbours = np.zeros(len(data.tokens) + _DISTANCE * (len(lengths) + 1), np.int32)
    neighbours[places] = np.where(data.tokens < contexts, data.tokens, features.PADDING_ID)

    known = np.where(data.tokens < words, data.tokens, features.PADDING_ID)
    occurrences = np.bincount(known, minlength=words)
    share = np.minimum(1, _OCCURRENCES / np.maximum(occurrences, 1)).astype(np.float32)
    share[: features.RESERVED_IDS] = 0
    drawn = np.flatnonzero(rng.random(len(known), np.float32) < share[known])
    # Sorted by word, so that the parts of the table are filled one after the other.
    drawn = drawn[np.argsort(known[drawn], kind='stable')]
    table = np.zeros([words, 2, contexts], np.float32)
    firsts = range(0, words, _WORDS_PER_PART)
    bounds = np.searchsorted(known[drawn], [*firsts, words])
    for first, start, stop in zip(firsts, bounds, bounds[1:]):
        part, here = table[first : first + _WORDS_PER_PART], drawn[start:stop]
        rows, where = (known[here].astype(np.int64) - first) * 2, places[here]
        for distance in range(1, _DISTANCE + 1):
            before = rows * contexts + neighbours[where - distance]
            after = (rows + 1) * contexts + neighbours[where + distance]
            counts = np.bincount(np.concatenate([before, after]), minlength=part.size)
            part += counts.reshape(part.shape) * np.float32(1 / distance)
        part /= np.where(share > 0, share, 1)[first : first + len(part), np.newaxis, np.newaxis]
    table[:, :, : features.RESERVED_IDS] = 0
    return table.reshape(words, -1)


def _positive_information(table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn counts `[words, contexts]`, in place, into positive pointwise mutual information."""
    of_word, of_context = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
    with np.errstate(divide='ignore', invalid='ignore'):
        np.multiply(table, table.sum() / of_context, out=table)
        np.divide(table, of_word, out=table)
        np.log(table, out=table)
    # The logarithm of 0 or of 0 / 0 counts as 0.
    np.nan_to_num(table, copy=False, nan=0, neginf=0)
    positive: npt.NDArray[np.float32] = np.maximum(table, 0, out=table)
    return positive
