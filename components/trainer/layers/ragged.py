"""Converts padded tokens to ragged ones."""

from __future__ import annotations

import tensorflow as tf

from components.common import features


def as_ragged(tokens: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
    """Return tokens without padding.

    Models are called with ragged tokens. When Keras saves a model, it calls it with
    padded float32 tokens.

    Args:
        tokens: int32 `[batch, (tokens)]`, ragged, or padded with 0 at the end.

    >>> as_ragged(tf.constant([[2, 3, 0], [0, 0, 0]])).to_list()
    [[2, 3], []]
    """
    if isinstance(tokens, tf.RaggedTensor):
        return tokens
    return tf.RaggedTensor.from_tensor(tf.cast(tokens, tf.int32), padding=features.PADDING_ID)
