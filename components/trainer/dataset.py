"""Reads examples into memory as the models take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.trainer.serving import TransformGraph

_TEXTS_PER_BATCH = 1_000


class LabelledTokens(NamedTuple):
    """A split in memory.

    Attributes:
        tokens: int32 `[tokens]`, of all examples one after the other, each id >= 1.
        row_splits: int64 `[examples + 1]`; example i has the tokens from
            `row_splits[i]` up to `row_splits[i + 1]`.
        labels: float32 `[examples, 1]`, 0 or 1; NaN where there is none.
    """

    tokens: npt.NDArray[np.int32]
    row_splits: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float32]

    def ragged(self) -> tf.RaggedTensor:
        """Return the tokens as int32 `[examples, (tokens)]`."""
        return tf.RaggedTensor.from_row_splits(self.tokens, self.row_splits, validate=False)

    def padded(self, width: int) -> npt.NDArray[np.int32]:
        """Return the first `width` tokens of each example as int32 `[examples, width]`."""
        padded: npt.NDArray[np.int32] = (
            self.ragged().to_tensor(features.PADDING_ID, shape=[None, width]).numpy()
        )
        return padded

    def joined(self, other: LabelledTokens) -> LabelledTokens:
        """Return these examples, then the other ones."""
        return LabelledTokens(
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.row_splits, other.row_splits[1:] + self.row_splits[-1]]),
            np.concatenate([self.labels, other.labels]),
        )


def read_split(
    patterns: Sequence[str], transform: TransformGraph, *, labelled: bool = True
) -> LabelledTokens:
    """Read raw examples and turn them into token ids by the transform graph.

    The rows come sorted by a fingerprint of their text, so that they are the
    same whatever the order in which Beam happened to write them.

    Args:
        patterns: Of gzipped TFRecord files of raw examples.
        transform: Makes token ids from texts.
        labelled: Whether each example must have a label, or none has.

    Returns:
        All examples of the split.
    """
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    return read_records(tf.data.TFRecordDataset(files, 'GZIP'), transform, labelled=labelled)


def read_records(
    records: tf.data.Dataset,
    transform: TransformGraph,
    *,
    labelled: bool = True,
    alive: Callable[[], None] = lambda: None,
) -> LabelledTokens:
    """Do the same with serialized examples, tf.string scalars.

    Args:
        records: The examples.
        transform: Makes token ids from texts.
        labelled: Whether each example must have a label, or none has.
        alive: Is called again and again while they are read.
    """
    batches = []
    for batch in token_batches(records, transform, labelled=labelled).as_numpy_iterator():
        batches.append(batch)
        alive()
    if not batches:
        return LabelledTokens(
            np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros((0, 1), np.float32)
        )
    tokens, lengths, labels, order = (np.concatenate(part) for part in zip(*batches))
    rows = np.lexsort((labels, order))
    starts = np.concatenate([[0], np.cumsum(lengths)])[rows]
    row_splits = np.concatenate([[0], np.cumsum(lengths[rows])])
    # Where each token comes from: its place in its row, from the row's old start.
    source = np.repeat(starts - row_splits[:-1], lengths[rows]) + np.arange(len(tokens))
    return LabelledTokens(tokens[source], row_splits, labels[rows][:, np.newaxis])


def token_batches(
    records: tf.data.Dataset, transform: TransformGraph, *, labelled: bool = True
) -> tf.data.Dataset:
    """Turn serialized examples, tf.string scalars, into token ids, some at a time.

    Args:
        records: The examples.
        transform: Makes token ids from texts.
        labelled: Whether each example must have a label, or none has.

    Returns:
        Batches of: int32 `[tokens]`, of all texts one after the other; int64
        `[texts]`, their lengths; float32 `[texts]`, labels, NaN where there is
        none; int64 `[texts]`, a fingerprint of each.
    """
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    if labelled:
        spec[features.LABEL_KEY] = tf.io.FixedLenFeature([], tf.int64)

    def convert(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
        raw = tf.io.parse_example(serialized, spec)
        text = raw[features.TEXT_KEY]
        label = (
            tf.cast(raw[features.LABEL_KEY], tf.float32)
            if labelled
            else tf.fill(tf.shape(text), np.nan)
        )
        order = tf.strings.to_hash_bucket_fast(text, np.iinfo(np.int64).max)
        tokens = transform(text)
        return tokens.values, tokens.row_lengths(), label, order

    return records.batch(_TEXTS_PER_BATCH).map(
        tf.autograph.experimental.do_not_convert(convert), num_parallel_calls=tf.data.AUTOTUNE
    )
