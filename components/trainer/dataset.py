"""Reads examples into memory as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components import features
from components.trainer.serving import TransformGraph

_TEXTS_PER_BATCH = 1_000


class LabelledTokens(NamedTuple):
    """A split in memory.

    Attributes:
        tokens: int32 `[examples, max_tokens]`, padded with 0 at the end.
        labels: float32 `[examples, 1]`, 0 or 1.
    """

    tokens: npt.NDArray[np.int32]
    labels: npt.NDArray[np.float32]

    def batches(self, batch_size: int, *, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Return batches of (tokens, labels), shuffled anew each epoch if seeded."""
        dataset = tf.data.Dataset.from_tensor_slices((self.tokens, self.labels))
        if shuffle_seed is not None:
            dataset = dataset.shuffle(len(self.labels), seed=shuffle_seed)
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def read_split(patterns: Sequence[str], transform: TransformGraph) -> LabelledTokens:
    """Read raw examples and turn them into token ids by the transform graph.

    The rows come sorted by a fingerprint of their text, so that they are the
    same whatever the order in which Beam happened to write them.

    Args:
        patterns: Of gzipped TFRecord files of raw examples.
        transform: Makes token ids from texts.

    Returns:
        All examples of the split.
    """
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    spec = {
        features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
        features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
    }

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def convert(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        raw = tf.io.parse_example(serialized, spec)
        text, label = raw[features.TEXT_KEY], raw[features.LABEL_KEY]
        order = tf.strings.to_hash_bucket_fast(text, np.iinfo(np.int64).max)
        return transform(text), label, order

    records = tf.data.TFRecordDataset(files, 'GZIP').batch(_TEXTS_PER_BATCH)
    batches = [[part.numpy() for part in convert(batch)] for batch in records]
    tokens, labels, order = (np.concatenate(parts) for parts in zip(*batches))
    rows = np.lexsort((labels, order))
    return LabelledTokens(tokens[rows], labels[rows].astype(np.float32)[:, np.newaxis])
