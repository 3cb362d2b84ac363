"""Finds the n-grams of texts, encodes them as integers, and counts the texts that have each."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import sparse

from components.common import features
from components.trainer.dataset import LabelledTokens

# Three ids fit into the 63 bits of a positive int64, so that a key is the n-gram itself.
ID_BITS = 20
MAX_NGRAM = 3
# Number of keys sorted at a time, which limits the memory.
_KEYS_PER_PART = 1 << 22
_TEXTS_PER_CALL = 2_000
# Distributes neighbouring keys over the parts (Knuth, The Art of Computer Programming 3, 6.4).
_GOLDEN = np.int64(-7046029254386353131)


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
    keys, rows, whole = ngram_candidates(tokens, length)
    return tf.boolean_mask(keys, whole), tf.boolean_mask(rows, whole)


def ngram_candidates(
    tokens: tf.RaggedTensor, length: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return a candidate for each position of `tokens.values`, but the last `length - 1`.

    Args:
        tokens: As for `ngram_keys`.
        length: Number of words, from 1 to MAX_NGRAM.

    Returns:
        keys: int64 `[positions]`, see `ngram_keys`.
        rows: int64 `[positions]`, the index of the text of each first word, ascending.
        whole: bool `[positions]`, whether an n-gram starts there: its words are in one text
            and in the vocabulary.

    >>> _, rows, whole = ngram_candidates(tf.ragged.constant([[2, 3, 4], [3, 1, 2]]), 2)
    >>> rows.numpy().tolist(), whole.numpy().tolist()
    ([0, 0, 0, 1, 1], [True, True, False, False, False])
    """
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


class NGramCounts(NamedTuple):
    """N-grams, and the texts that contain them.

    Attributes:
        keys: int64 `[ngrams]`, see `ngram_keys`, distinct, by descending number of texts.
        presence: float32 `[texts, ngrams]`, 1 if the text contains the n-gram.
    """

    keys: npt.NDArray[np.int64]
    presence: sparse.csr_matrix


def count_ngrams(data: LabelledTokens, max_ngram: int, min_documents: int) -> NGramCounts:
    """Return all n-grams that are in at least `min_documents` texts.

    Args:
        data: The texts.
        max_ngram: Number of words of the longest n-grams.
        min_documents: Number of texts that an n-gram must be in.
    """

    def count(length: int) -> list[NGramCounts]:
        keys, rows = _all_keys(data, length)
        parts = 1 + len(keys) // _KEYS_PER_PART
        count_part = functools.partial(
            _count_part, texts=len(data.labels), length=length, min_documents=min_documents
        )
        if parts == 1:
            return [count_part(keys, rows)]
        part_of = ((keys * _GOLDEN) >> np.int64(40)) % parts
        return [
            count_part(keys[mine], rows[mine])
            for mine in (part_of == part for part in range(parts))
        ]

    # SciPy sorts without the global interpreter lock.
    with ThreadPoolExecutor() as pool:
        lengths = range(max_ngram, 0, -1)
        found = [part for parts in pool.map(count, lengths) for part in parts]
    keys = np.concatenate([part.keys for part in found])
    columns = sparse.hstack([part.presence for part in found], format='csc')
    order = np.argsort(-np.diff(columns.indptr), kind='stable')
    # Frequent n-grams are neighbours and stay in the cache, which halves the time of products.
    place = np.empty(len(keys), np.int32)
    place[order] = np.arange(len(keys), dtype=np.int32)
    presence = columns.tocsr()
    presence.indices = place[presence.indices]
    presence.has_sorted_indices = False
    return NGramCounts(keys[order], presence)


def find_ngrams(
    data: LabelledTokens, keys: npt.NDArray[np.int64], max_ngram: int
) -> sparse.csr_matrix:
    """Return which of the n-grams each text contains.

    Args:
        data: The texts.
        keys: int64 `[ngrams]`, see `ngram_keys`, distinct, at least one.
        max_ngram: Number of words of the longest n-gram.

    Returns:
        float32 `[texts, ngrams]`, 1 if the text contains the n-gram.
    """
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, np.arange(len(keys), dtype=np.int64)),
        default_value=-1,
    )

    def find(start: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        part = _texts(data, start)
        cells = []
        for length in range(1, max_ngram + 1):
            part_keys, rows, whole = ngram_candidates(part, length)
            columns = table.lookup(part_keys)
            present = (whole & (columns >= 0)).numpy()
            cells.append((rows.numpy()[present], columns.numpy()[present]))
        rows, columns = (np.concatenate(parts).astype(np.int32) for parts in zip(*cells))
        shape = int(part.nrows()), len(keys)
        # Each conversion is a counting sort: several times as fast as to sort the cells.
        found = sparse.coo_matrix((np.ones(len(rows), np.bool_), (rows, columns)), shape)
        found = found.tocsc().tocsr()
        return found.indices, np.diff(found.indptr)

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(find, range(0, len(data.labels), _TEXTS_PER_CALL)))
    columns = np.concatenate([columns for columns, _ in found])
    row_splits = np.concatenate([[0], np.cumsum(np.concatenate([counts for _, counts in found]))])
    return sparse.csr_matrix(
        (np.ones(len(columns), np.float32), columns, row_splits),
        shape=(len(data.labels), len(keys)),
    )


def _texts(data: LabelledTokens, start: int) -> tf.RaggedTensor:
    """Return some texts; for all texts at once, TensorFlow allocates gigabytes."""
    splits = data.row_splits[start : start + _TEXTS_PER_CALL + 1]
    return tf.RaggedTensor.from_row_splits(
        data.tokens[splits[0] : splits[-1]], splits - splits[0], validate=False
    )


def _all_keys(
    data: LabelledTokens, length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    keys, rows = [], []
    for start in range(0, len(data.labels), _TEXTS_PER_CALL):
        part_keys, part_rows = ngram_keys(_texts(data, start), length)
        keys.append(part_keys.numpy())
        rows.append((part_rows.numpy() + start).astype(np.int32))
    return np.concatenate(keys), np.concatenate(rows)


def _sort(keys: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int32]:
    """Return the stable order of n-grams, by counting sorts: several times as fast as NumPy's."""
    order = np.arange(len(keys), dtype=np.int32)
    for word in range(length):
        ids = ((keys[order] >> (ID_BITS * word)) & (2**ID_BITS - 1)).astype(np.int32)
        # A matrix with the one at (row, id) of each n-gram. SciPy sorts it by columns, then rows.
        cells = np.ones(len(ids), np.bool_), ids, np.arange(len(ids) + 1, dtype=np.int32)
        order = order[sparse.csr_matrix(cells, (len(ids), 2**ID_BITS)).tocsc().indices]
    return order


def _count_part(
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
    texts: int,
    *,
    length: int,
    min_documents: int,
) -> NGramCounts:
    order = _sort(keys, length)
    keys, rows = keys[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))[: len(keys)]
    occurrences = np.diff(np.append(starts, len(keys)))
    # Most n-grams are rarer, and cannot be in enough texts.
    frequent = occurrences >= min_documents
    keys, rows = keys[starts[frequent]], rows[np.repeat(frequent, occurrences)]
    columns = np.concatenate([[0], np.cumsum(occurrences[frequent])])
    presence = sparse.csc_matrix(
        (np.ones(len(rows), np.float32), rows, columns), shape=(texts, len(keys))
    )
    presence.sum_duplicates()
    presence.data[:] = 1
    enough = np.diff(presence.indptr) >= min_documents
    return NGramCounts(keys[enough], presence[:, enough])
