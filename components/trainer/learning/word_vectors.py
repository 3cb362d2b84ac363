"""Word vectors from which words stand near which."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components import features
from components.trainer.dataset import LabelledTokens

_CONTEXTS = 2_000  # most frequent words: what a word is described by
_DISTANCE = 10
_OVERSAMPLING = 10
_TEXTS_PER_PART = 5_000  # counted at a time, which bounds the memory
_NORM = 3.0  # about that of a hundred values of standard deviation 0.3


def word_vectors(data: LabelledTokens, words: int, dim: int, seed: int) -> npt.NDArray[np.float32]:
    """Factorise how much oftener than by chance words stand near frequent ones.

    Counts within ten words, weighted by 1 / distance, as positive pointwise
    mutual information, by a randomised singular value decomposition (Levy and
    Goldberg, 2014; Halko, Martinsson and Tropp, 2011).

    Args:
        data: The texts; ids from 2 on are words, the most frequent first.
        words: Ids below this one get a vector.
        dim: Its width.
        seed: Of the random projection.

    Returns:
        float32 `[words, dim]`, rows of equal length; padding, the unknown word
        and words without company are zero.
    """
    vectors = np.zeros([words, dim], np.float32)
    information = _information(data, words)
    rank = min(dim, *information.shape)
    rng = np.random.default_rng(seed)
    width = min(rank + _OVERSAMPLING, *information.shape)
    start = rng.standard_normal([information.shape[1], width]).astype(np.float32)
    basis, _ = np.linalg.qr(information @ start)
    for _ in range(2):
        basis, _ = np.linalg.qr(information @ (information.T @ basis))
    left, values, _ = np.linalg.svd((information.T @ basis).T, full_matrices=False)
    vectors[:, :rank] = (basis @ left)[:, :rank] * np.sqrt(values[:rank])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float32] = np.where(
        norms > 1e-6, vectors * (_NORM / np.maximum(norms, 1e-6)), 0
    ).astype(np.float32)
    return scaled


def _information(data: LabelledTokens, words: int) -> npt.NDArray[np.float32]:
    contexts = min(_CONTEXTS, words)
    counts = tf.Variable(tf.zeros([words * contexts]))
    for start in range(0, len(data.labels), _TEXTS_PER_PART):
        part = data.row_splits[start : start + _TEXTS_PER_PART + 1]
        _add_pairs(counts, data.tokens[part[0] : part[-1]], np.diff(part), words, contexts)
    return _positive_information(counts.numpy().reshape(words, contexts))


def _add_pairs(
    counts: tf.Variable,
    tokens: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int64],
    words: int,
    contexts: int,
) -> None:
    """Count the words of some texts that stand near each other."""
    rows = tf.constant(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths))
    tokens = tf.constant(tokens, tf.int32)
    # Words and contexts, others being 0, so that products of the two tell what to count.
    is_word = (tokens > features.UNKNOWN_ID) & (tokens < words)
    is_context = (tokens > features.UNKNOWN_ID) & (tokens < contexts)
    for distance in range(1, _DISTANCE + 1):
        if len(tokens) <= distance:
            break
        near = rows[distance:] == rows[:-distance]
        for word, context in (
            (slice(distance, None), slice(None, -distance)),
            (slice(None, -distance), slice(distance, None)),
        ):
            pairs = tf.boolean_mask(
                tokens[word] * contexts + tokens[context],
                near & is_word[word] & is_context[context],
            )
            counts.scatter_add(
                tf.IndexedSlices(tf.fill(tf.shape(pairs), np.float32(1 / distance)), pairs)
            )


def _positive_information(table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn counts `[words, contexts]`, in place, into positive pointwise mutual information."""
    of_word, of_context = table.sum(1, keepdims=True), table.sum(0, keepdims=True)
    with np.errstate(divide='ignore', invalid='ignore'):
        np.multiply(table, table.sum() / of_context, out=table)
        np.divide(table, of_word, out=table)
        np.log(table, out=table)
    # The logarithm of nothing, or of nothing by nothing, is no information.
    np.nan_to_num(table, copy=False, nan=0, neginf=0)
    positive: npt.NDArray[np.float32] = np.maximum(table, 0, out=table)
    return positive
