"""A convolution over words, and its maximum over a text."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features

_WORDS = 3
_ROWS_PER_PART = 32


class MaxConvolution(keras.layers.Layer):
    """Word vectors, a convolution over three words, and its maximum over the text.

    It is equal to `Embedding`, `Conv1D`, `ReLU` and `GlobalMaxPooling1D` with masking, in
    a third of the time: each distinct word of a batch is multiplied by the kernel once,
    and only the windows with the maximum have a gradient.

    Args:
        filters: Number of patterns.
        vectors: float32 `[words, dim]`, initial word vectors. Ids from `words` on are
            treated as the unknown word.
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
        # Windows extend over both ends, and one has only padding. So more padding changes nothing.
        ends = [[0, 0], [_WORDS - 1, _WORDS]]
        vectors, places = self._distinct(tf.pad(tokens, ends, constant_values=features.PADDING_ID))
        strongest = _max_convolution(vectors, tf.convert_to_tensor(self.kernel), places)
        return tf.nn.relu(strongest + self.offset)

    def of_rows(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Return what `call` returns, without a gradient, for ragged rows.

        It processes a few rows at a time, so that their windows fit into the cache.

        Args:
            tokens: int32 `[batch, (tokens)]`.

        Returns:
            float32 `[batch, filters]`, >= 0.
        """
        vectors, flat = self._distinct(tokens.values)
        # One more row, for padding; its index is len(vectors).
        outputs = tf.pad(tf.matmul(vectors, tf.convert_to_tensor(self.kernel)), [[0, 1], [0, 0]])
        ends = tf.fill([tokens.nrows(), _WORDS - 1], tf.shape(vectors)[0])
        places = tf.concat([ends, tokens.with_values(flat), ends], axis=1)
        splits, size = tf.cast(places.row_splits, tf.int32), tf.cast(places.nrows(), tf.int32)

        def strongest(start: tf.Tensor) -> tf.Tensor:
            stop = tf.minimum(start + _ROWS_PER_PART, size)
            splits_here = splits[start : stop + 1]
            here = places.values[splits_here[0] : splits_here[-1]]
            rows = tf.repeat(tf.range(stop - start), splits_here[1:] - splits_here[:-1])
            count = tf.shape(here)[0] - _WORDS + 1
            in_one_row = rows[:count] == rows[_WORDS - 1 :]
            windows = tf.boolean_mask(_windows(here, axis=0), in_one_row)
            sums = _add_up(outputs, windows, self._filters)
            found = tf.math.segment_max(sums, tf.boolean_mask(rows[:count], in_one_row))
            return tf.pad(found, [[0, _ROWS_PER_PART - (stop - start)], [0, 0]])

        parts = tf.map_fn(
            strongest,
            tf.range(0, size, _ROWS_PER_PART),
            fn_output_signature=tf.TensorSpec([_ROWS_PER_PART, self._filters], tf.float32),
        )
        found = tf.reshape(parts, [-1, self._filters])[:size]
        # 0 is the sum of the window that has only padding.
        return tf.nn.relu(tf.maximum(found, 0.0) + self.offset)

    def strongest(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return position and value of the best match of each pattern.

        Args:
            tokens: int32 `[batch, (tokens)]`.

        Returns:
            int64 `[batch, filters]`, the position of the last of the window's three
            words, which can be outside the text.
            float32 `[batch, filters]`, the output of `call`.
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
        """Return the vectors of the distinct words, and for each token the index of its word."""
        tokens = tf.where(tokens < self._vectors.shape[0], tokens, features.UNKNOWN_ID)
        words, places = tf.unique(tf.reshape(tokens, [-1]))
        vectors = tf.gather(tf.convert_to_tensor(self.table), words)
        vectors *= tf.cast(words != features.PADDING_ID, tf.float32)[:, tf.newaxis]
        return vectors, tf.reshape(places, tf.shape(tokens))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self._filters)


def _windows(places: tf.Tensor, axis: int) -> tf.Tensor:
    """Return the word indices of each window along an axis, as one more axis of 3."""
    count = tf.shape(places)[axis] - _WORDS + 1
    before = (slice(None),) * axis
    cuts = [(*before, slice(word, word + count)) for word in range(_WORDS)]
    return tf.stack([places[cut] for cut in cuts], axis=-1)


def _add_up(outputs: tf.Tensor, windows: tf.Tensor, filters: int) -> tf.Tensor:
    """Add up the outputs of the words of each window.

    Args:
        outputs: float32 `[words, 3 * filters]`: the output of each word as the
            first, second and third of a window.
        windows: int32 `[..., 3]`: the indices of the words of each window.
        filters: Number of patterns.

    Returns:
        float32 `[windows, filters]`, of all windows one after the other.
    """
    rows = tf.reshape(windows * _WORDS + tf.range(_WORDS), [-1])
    window_of = tf.repeat(tf.range(tf.size(windows) // _WORDS), _WORDS)
    # Gathers and adds in one go: half the time of three gathers and two additions.
    return tf.sparse.segment_sum(tf.reshape(outputs, [-1, filters]), rows, window_of)


@tf.custom_gradient
def _max_convolution(
    vectors: tf.Tensor, kernel: tf.Tensor, places: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    """Convolve and take the maximum.

    Args:
        vectors: float32 `[words, dim]`, of the distinct words.
        kernel: float32 `[dim, 3 * filters]`: of the first, second and third word.
        places: int32 `[batch, tokens]`: the index of the word of each token.

    Returns:
        float32 `[batch, filters]`.
    """
    filters = kernel.shape[1] // _WORDS
    windows = _windows(places, axis=1)
    sums = _add_up(tf.matmul(vectors, kernel), windows, filters)
    sums = tf.reshape(sums, [tf.shape(windows)[0], -1, filters])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        best = tf.argmax(sums, axis=1, output_type=tf.int32)
        # [batch, filters, 3] to [batch, 3, filters], as the columns of the kernel are.
        words = tf.transpose(tf.gather(windows, best, axis=1, batch_dims=1), [0, 2, 1])
        columns = tf.broadcast_to(
            tf.reshape(tf.range(_WORDS * filters), [1, _WORDS, filters]), tf.shape(words)
        )
        # One in fifty of the outputs has a gradient.
        of_outputs = tf.SparseTensor(
            tf.cast(tf.reshape(tf.stack([words, columns], -1), [-1, 2]), tf.int64),
            tf.reshape(tf.repeat(upstream[:, tf.newaxis], _WORDS, axis=1), [-1]),
            tf.cast([tf.shape(vectors)[0], _WORDS * filters], tf.int64),
        )
        of_kernel = tf.sparse.sparse_dense_matmul(of_outputs, vectors, adjoint_a=True)
        return (
            tf.sparse.sparse_dense_matmul(of_outputs, kernel, adjoint_b=True),
            tf.transpose(of_kernel),
            None,
        )

    return tf.reduce_max(sums, axis=1), gradient
