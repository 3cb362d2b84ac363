from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from components.trainer.models.accurate.row_adam import RowAdam

SETTINGS = {'learning_rate': 0.1, 'beta_2': 0.99}


def test_weights_equal_those_of_adam_when_each_step_reads_all_rows() -> None:
    start = np.random.default_rng(1).normal(size=[4, 3]).astype(np.float32)
    ours, adams = keras.Variable(start), keras.Variable(start)
    row_adam, adam = RowAdam(**SETTINGS), keras.optimizers.Adam(**SETTINGS)
    for seed in range(5):
        gradient = np.random.default_rng(seed).normal(size=[4, 3]).astype(np.float32)
        rows = np.random.default_rng(seed).permutation(4)
        slices = tf.IndexedSlices(tf.constant(gradient[rows]), tf.constant(rows), (4, 3))
        row_adam.apply([slices], [ours])
        adam.apply([tf.constant(gradient)], [adams])
    np.testing.assert_allclose(ours.numpy(), adams.numpy(), rtol=1e-4, atol=1e-5)
    assert np.abs(ours.numpy() - start).min() > 0.01


def test_rows_are_unchanged_when_no_step_reads_them() -> None:
    start = np.ones([4, 2], np.float32)
    table = keras.Variable(start)
    optimizer = RowAdam(**SETTINGS)
    for _ in range(3):
        slices = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([2]), (4, 2))
        optimizer.apply([slices], [table])
    np.testing.assert_array_equal(table.numpy()[[0, 1, 3]], start[[0, 1, 3]])
    assert (table.numpy()[2] < 0.8).all()


def test_weights_equal_those_of_adam_when_the_gradient_is_dense() -> None:
    ours, adams = (keras.Variable(np.ones(3, np.float32)) for _ in range(2))
    gradient = tf.constant([0.1, -2.0, 3.0])
    RowAdam(**SETTINGS).apply([gradient], [ours])
    keras.optimizers.Adam(**SETTINGS).apply([gradient], [adams])
    np.testing.assert_array_equal(ours.numpy(), adams.numpy())
