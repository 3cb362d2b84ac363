"""An embedding with a dense gradient, for the Adam of Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable('components')
class WordVectors(keras.layers.Layer):
    """An embedding whose gradient is a dense tensor.

    The Adam of Keras 3 squares the slices of a sparse gradient before it adds up those of
    the same word, which is not Adam's formula and costs the tutorial's model a point of
    accuracy. The table is small, so a dense gradient costs little.

    Args:
        vocab_size: Number of rows of the table.
        dim: Number of columns of the table.
    """

    def __init__(self, vocab_size: int, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.dim = dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        del input_shape
        self.table = self.add_weight(
            shape=(self.vocab_size, self.dim), initializer='uniform', name='table'
        )
        self.built = True

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Look up int32 `[batch, tokens]` as float32 `[batch, tokens, dim]`."""
        return _gather(tf.convert_to_tensor(self.table), tokens)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, self.dim)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), 'vocab_size': self.vocab_size, 'dim': self.dim}


@tf.custom_gradient
def _gather(table: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        rows, dim = table.shape
        flat = tf.reshape(upstream, [-1, dim])
        return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), rows), None

    return tf.gather(table, ids), gradient
