from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.settings import TrainerSettings
from components.trainer.dataset import LabelledTokens
from components.trainer.layers.word_vectors import WordVectors
from components.trainer.models.tutorial import Padded, batches, build_model

TOKENS = np.array([[2, 3, 2, 0], [1, 2, 4, 4], [0, 0, 0, 0]], np.int32)


def test_logits_have_one_column_when_the_model_is_called() -> None:
    settings = TrainerSettings(embedding_dim=3)
    model = build_model(settings, vocab_size=6, max_tokens=4)
    logits = model(TOKENS)
    assert model.input_shape == (None, 4)
    assert logits.shape == (3, 1)
    assert logits.dtype == tf.float32
    assert model.count_params() == 6 * 3 + 3 + 1
    assert [layer.rate for layer in model.layers if hasattr(layer, 'rate')] == [0.2, 0.2]


def test_outputs_are_the_same_when_the_model_was_saved_and_loaded(tmp_path: pathlib.Path) -> None:
    model = build_model(TrainerSettings(), vocab_size=6, max_tokens=4)
    model.save(tmp_path / 'model.keras')
    loaded = keras.saving.load_model(tmp_path / 'model.keras')
    layer = loaded.get_layer('word_vectors')
    assert isinstance(layer, WordVectors)
    assert (layer.vocab_size, layer.dim) == (6, 16)
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))


@pytest.mark.parametrize('in_graph', [False, True])
def test_logits_are_those_of_the_first_tokens_when_rows_are_ragged_or_longer(
    in_graph: bool,
) -> None:
    network = build_model(TrainerSettings(), vocab_size=6, max_tokens=4)
    model = Padded(network, 4)
    call = tf.function(model) if in_graph else model
    expected = network(TOKENS)
    assert len(set(expected.numpy()[:, 0])) == 3
    ragged = tf.ragged.constant([[2, 3, 2], [1, 2, 4, 4, 5, 5], []], tf.int32)
    np.testing.assert_allclose(call(ragged), expected, rtol=1e-6)
    np.testing.assert_allclose(call(tf.constant(TOKENS)), expected, rtol=1e-6)


def batched(data: LabelledTokens, seed: int | None = None) -> tf.data.Dataset:
    return batches(data, 1, 4, shuffle_seed=seed)


def in_rows(dataset: tf.data.Dataset) -> list[list[int]]:
    return [[int(row[0]) for row in tokens] for tokens, _ in dataset]


def test_order_is_new_each_epoch_and_the_same_each_time_when_a_seed_is_given() -> None:
    labels = np.arange(10, dtype=np.float32)[:, None] % 2
    data = LabelledTokens(np.arange(10, dtype=np.int32), np.arange(11), labels)
    assert in_rows(batched(data)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for tokens, of_tokens in batched(data, seed=1):
        assert (tokens % 2).numpy().tolist() == of_tokens.numpy().tolist()

    def epochs(seed: int) -> list[list[int]]:
        dataset = batched(data, seed)
        return [[token for row in in_rows(dataset) for token in row] for _ in range(3)]

    first, second, third = epochs(seed=1)
    assert sorted(first) == sorted(second) == sorted(third) == list(range(10))
    assert first != second != third
    assert epochs(seed=1) == [first, second, third]
    assert epochs(seed=2) != [first, second, third]
