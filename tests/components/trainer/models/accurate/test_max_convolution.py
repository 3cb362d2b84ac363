from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.models.accurate.max_convolution import MaxConvolution

WORDS, DIM, FILTERS = 12, 5, 7


@pytest.fixture(scope='module')
def layer() -> MaxConvolution:
    keras.utils.set_random_seed(4)
    vectors = np.random.default_rng(4).normal(size=[WORDS, DIM]).astype(np.float32)
    layer = MaxConvolution(FILTERS, vectors)
    layer.build((None, None))
    layer.offset.assign(np.random.default_rng(5).normal(size=FILTERS))
    return layer


def make_rows(count: int, longest: int, seed: int) -> tf.RaggedTensor:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest, count)
    values = rng.integers(1, WORDS + 4, lengths.sum()).astype(np.int32)
    return tf.RaggedTensor.from_row_lengths(values, lengths)


def slide_window(layer: MaxConvolution, row: list[int]) -> np.ndarray:
    """Return the output of each window of three words, by its last word, and the filters.

    Nothing precedes or follows the text.
    """
    table, kernel = np.array(layer.table), np.array(layer.kernel)
    known = [word if word < WORDS else 1 for word in row]
    vectors = np.concatenate([np.zeros([2, DIM]), table[known], np.zeros([3, DIM])])
    kernels = [kernel[:, i * FILTERS : (i + 1) * FILTERS] for i in range(3)]
    windows = [
        sum(vectors[start + i] @ kernels[i] for i in range(3)) for start in range(len(vectors) - 2)
    ]
    return np.array(windows) + np.array(layer.offset)


def test_outputs_equal_those_of_numpy_when_rows_are_padded(
    layer: MaxConvolution,
) -> None:
    rows = make_rows(20, 15, seed=1)
    strongest = [slide_window(layer, row).max(axis=0) for row in rows.to_list()]
    expected = np.maximum(strongest, 0)
    np.testing.assert_allclose(layer(rows.to_tensor(0)), expected, atol=1e-5)
    assert (expected > 0).any()


@pytest.mark.parametrize('more', [1, 30])
def test_outputs_are_unchanged_when_padding_is_added(layer: MaxConvolution, more: int) -> None:
    padded = make_rows(10, 9, seed=2).to_tensor(0)
    wider = tf.pad(padded, [[0, 0], [0, more]])
    np.testing.assert_allclose(layer(wider), layer(padded), atol=1e-6)


@pytest.mark.parametrize('count', [0, 1, 31, 32, 33, 100])
def test_outputs_are_unchanged_when_rows_are_not_padded(layer: MaxConvolution, count: int) -> None:
    rows = make_rows(count, 40, seed=count)
    found = layer.of_rows(rows)
    assert found.shape == (count, FILTERS)
    if count:
        np.testing.assert_allclose(found, layer(rows.to_tensor(0)), atol=1e-5)


def test_output_is_the_offset_when_rows_are_empty(layer: MaxConvolution) -> None:
    rows = tf.ragged.constant([[], []], dtype=tf.int32, inner_shape=())
    expected = np.tile(np.maximum(np.array(layer.offset), 0), [2, 1])
    np.testing.assert_allclose(layer.of_rows(rows), expected, atol=1e-6)


def test_gradient_equals_that_of_plain_operations(
    layer: MaxConvolution,
) -> None:
    tokens = make_rows(8, 10, seed=3).to_tensor(0)
    upstream = tf.constant(np.random.default_rng(6).normal(size=[8, FILTERS]), tf.float32)
    weights = [layer.table.value, layer.kernel.value, layer.offset.value]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tokens) * upstream)
    found = [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    def plain(table: tf.Tensor, kernel: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        ids = tf.pad(tf.where(tokens < WORDS, tokens, 1), [[0, 0], [2, 3]])
        vectors = tf.gather(table, ids) * tf.cast(ids > 0, tf.float32)[:, :, tf.newaxis]
        stacked = tf.stack(tf.split(kernel, 3, axis=1))
        outputs = tf.nn.conv1d(vectors, stacked, 1, 'VALID')
        return tf.nn.relu(tf.reduce_max(outputs, 1) + offset)

    copies = [tf.Variable(weight) for weight in weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(plain(*copies) * upstream)
    for one, other in zip(found, tape.gradient(loss, copies)):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), atol=1e-4)


def test_strongest_window_gives_the_output_when_rows_differ_in_length(
    layer: MaxConvolution,
) -> None:
    rows = make_rows(20, 15, seed=8)
    last, found = layer.strongest(rows)
    np.testing.assert_allclose(found, layer.of_rows(rows), atol=1e-5)
    for row, places, values in zip(rows.to_list(), last.numpy(), found.numpy()):
        outputs = slide_window(layer, row)[places, range(FILTERS)]
        np.testing.assert_allclose(np.maximum(outputs, 0), values, atol=1e-5)
