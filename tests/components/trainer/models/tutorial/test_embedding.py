from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.models.tutorial.embedding import WordVectors

# Words that occur once, often, in several rows and, like 5, never.
TOKENS = np.array([[2, 3, 2, 0], [1, 2, 4, 4], [0, 0, 0, 0]], np.int32)


@pytest.mark.parametrize('in_graph', [False, True])
def test_gradient_is_dense_and_equals_that_of_keras_when_words_are_repeated(
    in_graph: bool,
) -> None:
    layer, reference = WordVectors(6, 3), keras.layers.Embedding(6, 3)
    layer.build((None, 4))
    reference.build((None, 4))
    reference.set_weights(layer.get_weights())
    upstream = tf.random.stateless_normal([3, 4, 3], seed=[1, 2])

    def gradient(of: keras.layers.Layer) -> tf.Tensor | tf.IndexedSlices:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(of(TOKENS) * upstream)
        return tape.gradient(loss, of.trainable_variables[0].value)

    def both() -> tuple[tf.Tensor, tf.Tensor]:
        dense, sparse = gradient(layer), gradient(reference)
        assert isinstance(dense, tf.Tensor)
        assert isinstance(sparse, tf.IndexedSlices)
        return dense, tf.convert_to_tensor(sparse)

    np.testing.assert_array_equal(layer(TOKENS), reference(TOKENS))
    dense, expected = tf.function(both)() if in_graph else both()
    np.testing.assert_allclose(dense, expected, rtol=1e-6)
    assert np.any(dense[2])
    assert not np.any(dense[5])


def test_layer_is_equal_when_it_is_made_from_its_config() -> None:
    config = WordVectors(7, 5, name='words').get_config()
    again = WordVectors.from_config(config)
    assert again.get_config() == config
    assert again.compute_output_shape((None, 4)) == (None, 4, 5)
    assert again(TOKENS).shape == (3, 4, 5)
