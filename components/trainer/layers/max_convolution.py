"""The strongest match of each pattern of words in a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components import features

_WORDS = 3
_ROWS_PER_PART = 32


class MaxConvolution(keras.layers.Layer):
    """Word vectors, a convolution over three words, and its maximum over the text.

    As `Embedding`, `Conv1D`, `ReLU` and `GlobalMaxPooling1D` with masking, but
    each distinct word of a batch is multiplied by the kernel once, and the
    gradient goes only to the windows that had the maximum: a third of the time.

    Args:
        filters: Patterns.
        vectors: float32 `[words, dim]`: initial word vectors; ids from `words`
            on are taken for the unknown word.
    """

    def __init__(self, filters: int, vectors: npt.NDArray[np.float32], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._filters = filters
        self._vectors = vectors

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        del input_shape
        words, dim = self._vectors.shape
        limit = float(np.sqrt(6 / (_WORDS * (dim + self._filters))))  # Glorot and Bengio, 2010
        self.table = self.add_weight(shape=(words, dim), initializer='zeros', name='table')
        self.table.assign(self._vectors)
        self.kernel = self.add_weight(
            shape=(dim, _WORDS * self._filters),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name='kernel',
        )
        self.offset = self.add_weight(shape=(self._filters,), initializer='zeros', name='offset')
        self.built = True

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Map int32 `[batch, tokens]`, padded with 0, to float32 `[batch, filters]`, >= 0."""
        vectors, places = self._distinct(_with_ends(tokens))
        strongest = _max_convolution(vectors, tf.convert_to_tensor(self.kernel), places)
        return tf.nn.relu(strongest + self.offset)

    def of_rows(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Do as `call` does, without a gradient, for rows of different lengths.

        Rows of like length are padded together, some at a time, so that neither
        is time spent on padding nor do the windows outgrow the cache.

        Args:
            tokens: int32 `[batch, (tokens)]`.

        Returns:
            float32 `[batch, filters]`, >= 0.
        """
        lengths = tokens.row_lengths()
        size = tf.shape(lengths)[0]
        order = tf.argsort(lengths)
        # The last part is filled up with the longest row.
        parts = -(-size // _ROWS_PER_PART)
        order = tf.gather(order, tf.minimum(tf.range(parts * _ROWS_PER_PART), size - 1))
        vectors, flat = self._distinct(tokens.values)
        # A row more, for padding: the last one, whose place is len(vectors).
        outputs = tf.pad(tf.matmul(vectors, tf.convert_to_tensor(self.kernel)), [[0, 1], [0, 0]])
        of_words = tf.split(outputs, _WORDS, axis=1)
        padding = tf.shape(vectors)[0]
        places = tokens.with_values(flat)

        def strongest(rows: tf.Tensor) -> tf.Tensor:
            padded = tf.gather(places, rows).to_tensor(padding)
            windows = _windows(of_words, _with_ends(padded, padding))
            return tf.reduce_max(windows, axis=1)

        found = tf.map_fn(
            strongest,
            tf.reshape(order, [parts, _ROWS_PER_PART]),
            fn_output_signature=tf.TensorSpec([_ROWS_PER_PART, self._filters], tf.float32),
        )
        found = tf.reshape(found, [-1, self._filters])[:size]
        sorted_back = tf.scatter_nd(order[:size, tf.newaxis], found, [size, self._filters])
        return tf.nn.relu(sorted_back + self.offset)

    def strongest(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Tell where each pattern is matched best, and how well; text by text, not for speed.

        Args:
            tokens: int32 `[batch, (tokens)]`.

        Returns:
            int64 `[batch, filters]`: the place of the window's last word, of
            three; the first ones may lie before the text, the last ones after it.
            float32 `[batch, filters]`: what `call` returns.
        """
        kernels = tf.split(tf.convert_to_tensor(self.kernel), _WORDS, axis=1)

        def of_row(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Two places before the text, and three after it.
            known = tf.where(row < self._vectors.shape[0], row, features.UNKNOWN_ID)
            vectors = tf.pad(
                tf.gather(tf.convert_to_tensor(self.table), known), [[_WORDS - 1, _WORDS], [0, 0]]
            )
            windows = tf.shape(row)[0] + _WORDS
            sums = tf.add_n(
                [
                    tf.matmul(vectors[word : word + windows], kernel)
                    for word, kernel in enumerate(kernels)
                ]
            )
            best = tf.nn.relu(tf.reduce_max(sums, axis=0) + self.offset)
            return tf.argmax(sums, axis=0), best

        found: tuple[tf.Tensor, tf.Tensor] = tf.map_fn(
            of_row,
            tokens,
            fn_output_signature=(
                tf.TensorSpec([self._filters], tf.int64),
                tf.TensorSpec([self._filters], tf.float32),
            ),
        )
        return found

    def _distinct(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the vectors of the distinct words, and which of them stands where."""
        tokens = tf.where(tokens < self._vectors.shape[0], tokens, features.UNKNOWN_ID)
        words, places = tf.unique(tf.reshape(tokens, [-1]))
        vectors = tf.gather(tf.convert_to_tensor(self.table), words)
        vectors *= tf.cast(words != features.PADDING_ID, tf.float32)[:, tf.newaxis]
        return vectors, tf.reshape(places, tf.shape(tokens))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self._filters)


def _with_ends(tokens: tf.Tensor, padding: tf.Tensor | int = features.PADDING_ID) -> tf.Tensor:
    # Windows reach over both ends, and one lies beyond: then more padding changes nothing.
    return tf.pad(tokens, [[0, 0], [_WORDS - 1, _WORDS]], constant_values=padding)


def _windows(of_words: Sequence[tf.Tensor], places: tf.Tensor) -> tf.Tensor:
    """Add up the words of each window.

    Args:
        of_words: Three of float32 `[words, filters]`: what each word adds as the
            first, second and third of a window.
        places: int32 `[batch, tokens]`: which of the words stands where.

    Returns:
        float32 `[batch, tokens - 2, filters]`.
    """
    windows = tf.shape(places)[1] - _WORDS + 1
    sums = tf.gather(of_words[0], places[:, :windows])
    for word in range(1, _WORDS):
        sums += tf.gather(of_words[word], places[:, word : word + windows])
    return sums


@tf.custom_gradient
def _max_convolution(
    vectors: tf.Tensor, kernel: tf.Tensor, places: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    """Convolve and take the maximum.

    Args:
        vectors: float32 `[words, dim]`, of the distinct words.
        kernel: float32 `[dim, 3 * filters]`: of the first, second and third word.
        places: int32 `[batch, tokens]`: which of the words stands where.

    Returns:
        float32 `[batch, filters]`.
    """
    filters = kernel.shape[1] // _WORDS
    outputs = _windows(tf.split(tf.matmul(vectors, kernel), _WORDS, axis=1), places)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        best = tf.argmax(outputs, axis=1, output_type=tf.int32)
        cells = [
            tf.gather(places, best + word, batch_dims=1) * kernel.shape[1]
            + (word * filters + tf.range(filters))
            for word in range(_WORDS)
        ]
        count = tf.shape(vectors)[0]
        of_parts = tf.math.unsorted_segment_sum(
            tf.reshape(tf.stack([upstream] * _WORDS), [-1]),
            tf.reshape(tf.stack(cells), [-1]),
            count * kernel.shape[1],
        )
        of_parts = tf.reshape(of_parts, [count, kernel.shape[1]])
        return (
            tf.matmul(of_parts, kernel, transpose_b=True),
            tf.matmul(vectors, of_parts, transpose_a=True),
            None,
        )

    return tf.reduce_max(outputs, axis=1), gradient
