"""Encodes n-grams as integers."""

from __future__ import annotations

import tensorflow as tf

from components.common import features

# Three ids fit into the 63 bits of a positive int64, so that a key is the n-gram itself.
ID_BITS = 20
MAX_NGRAM = 3


def ngram_keys(tokens: tf.RaggedTensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return all occurrences of n-grams of one length.

    N-grams with a word that is not in the vocabulary are left out.

    Args:
        tokens: tf.RaggedTensor int32 `[batch, (tokens)]`, ids below 2 ** ID_BITS.
        length: Number of words, from 1 to MAX_NGRAM.

    Returns:
        keys: int64 `[ngrams]`, different for different n-grams, of any length.
        rows: int64 `[ngrams]`, the index of the text of each, ascending.

    >>> keys, rows = ngram_keys(tf.ragged.constant([[2, 3, 4], [3, 1, 2]]), 2)
    >>> [(int(key) % 2**20, int(key) // 2**20) for key in keys], rows.numpy().tolist()
    ([(2, 3), (3, 4)], [0, 0])
    """
    keys, rows, whole = _candidates(tokens, length)
    return tf.boolean_mask(keys, whole), tf.boolean_mask(rows, whole)


def ngram_places(tokens: tf.RaggedTensor, length: int) -> tf.Tensor:
    """Return the positions of the n-grams that `ngram_keys` returns for the same arguments.

    Returns:
        int64 `[ngrams]`, the position of the first word in its text.

    >>> ngram_places(tf.ragged.constant([[2, 3, 4], [3, 1, 2, 5]]), 2).numpy().tolist()
    [0, 1, 2]
    """
    _, rows, whole = _candidates(tokens, length)
    return tf.where(whole)[:, 0] - tf.boolean_mask(tf.gather(tokens.row_starts(), rows), whole)


def _candidates(tokens: tf.RaggedTensor, length: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return for each position a key and a row, and whether an n-gram starts there."""
    ids = tf.cast(tokens.values, tf.int64)
    rows = tokens.value_rowids()
    known = ids != features.UNKNOWN_ID
    count = tf.maximum(tf.shape(ids, tf.int64)[0] - (length - 1), 0)
    keys, whole = ids[:count], known[:count]
    for word in range(1, length):
        end = count + word
        keys = tf.bitwise.bitwise_or(
            keys, tf.bitwise.left_shift(ids[word:end], tf.constant(ID_BITS * word, tf.int64))
        )
        whole = whole & known[word:end] & (rows[word:end] == rows[:count])
    return keys, rows[:count], whole
