from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.settings import TextSettings
from components.trainer.fitting import TrainedModel
from components.trainer.models.tutorial.model import Padded, WordVectors, build_network
from components.trainer.models.tutorial.settings import TutorialSettings
from tests.components.trainer.tiny import (
    KEYS,
    MODEL,
    Exported,
    Tiny,
    train_stored,
    write_split,
    write_summary,
)
from tests.conftest import REPO

TEXT = TextSettings(vocab_size=6, max_tokens=4)
# Words that occur once, often, in several rows and, like 5, never.
TOKENS = np.array([[2, 3, 2, 0], [1, 2, 4, 4], [0, 0, 0, 0]], np.int32)


def test_logits_have_one_column_when_the_model_is_called() -> None:
    settings = TutorialSettings(embedding_dim=3)
    model = build_network(settings, TEXT)
    logits = model(TOKENS)
    assert model.input_shape == (None, 4)
    assert logits.shape == (3, 1)
    assert logits.dtype == tf.float32
    assert model.count_params() == 6 * 3 + 3 + 1
    assert [layer.rate for layer in model.layers if hasattr(layer, 'rate')] == [0.2, 0.2]


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


@pytest.mark.parametrize('in_graph', [False, True])
def test_logits_are_those_of_the_first_tokens_when_rows_are_ragged(
    in_graph: bool,
) -> None:
    network = build_network(TutorialSettings(), TEXT)
    model = Padded(network, 4)
    call = tf.function(model) if in_graph else model
    expected = network(TOKENS)
    assert len(set(expected.numpy()[:, 0])) == 3
    ragged = tf.ragged.constant([[2, 3, 2], [1, 2, 4, 4, 5, 5], []], tf.int32)
    np.testing.assert_allclose(call(ragged), expected, rtol=1e-6)
    np.testing.assert_allclose(call(tf.constant(TOKENS)), expected, rtol=1e-6)


def train_here(tiny: Tiny, logs: pathlib.Path, **settings: Any) -> TrainedModel:
    chosen = {**MODEL, **settings}
    return train_stored('tutorial', tiny.examples, tiny.transform_graph, logs, **chosen)


class Pair(NamedTuple):
    """Trainings of one process with two devices, see `training.main`.

    Attributes:
        found: The history or the error of each training.
        folder: Folder of the weights of each training.
    """

    found: dict[str, dict[str, Any]]
    folder: pathlib.Path

    def history(self, name: str) -> dict[str, list[float]]:
        history: dict[str, list[float]] = self.found[name]['history']
        return history


# Two epochs of one batch and no dropout, so that order does not matter. The devices have equal
# shares of the 120 examples of train and 40 of val.
SHARED = {'dropout': 0, 'batch_size': 1_000, 'input': 'stream', 'epochs': 2}


@pytest.fixture(scope='module')
def two_devices(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Train with `mirrored` in a process that has two devices."""
    folder = tmp_path_factory.mktemp('two_devices')
    odd = folder / 'examples'
    shutil.copytree(tiny.examples, odd)
    shutil.rmtree(odd / 'Split-val')
    write_split(odd / 'Split-val', [tiny.reviews['val'][:-1]])
    write_summary(odd, {'train': (60, 60), 'val': (20, 19)})
    trainings: dict[str, tuple[pathlib.Path, dict[str, Any]]] = {
        'shared': (tiny.examples, SHARED),
        'odd': (odd, {'batch_size': 34}),
        'refused': (tiny.examples, {'batch_size': 7}),
    }
    described = [
        {
            'examples': str(examples),
            'transform_graph': str(tiny.transform_graph),
            'logs': str(folder / name),
            'weights': str(folder / f'{name}.npz'),
            'settings': {**MODEL, **settings, 'distribution': 'mirrored'},
        }
        for name, (examples, settings) in trainings.items()
    ]
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'tests.components.trainer.models.tutorial.training'),
            json.dumps(described),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return Pair(dict(zip(trainings, json.loads(done.stdout))), folder)


def test_accuracy_is_equal_when_examples_are_streamed(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    streamed, kept = train_here(tiny, tmp_path, input='stream').history, exported.history
    assert set(streamed) == KEYS
    assert streamed['val_binary_accuracy'][-1] >= 0.9
    assert streamed['val_loss'][-1] == pytest.approx(kept['val_loss'][-1], abs=0.1)


def test_weights_are_equal_when_two_devices_share_each_streamed_batch(
    two_devices: Pair, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    alone = train_here(tiny, tmp_path, **SHARED)
    with np.load(two_devices.folder / 'shared.npz') as file:
        weights = alone.model.get_weights()
        assert len(file.files) == len(weights) > 0
        for name, expected in zip(file.files, weights):
            np.testing.assert_allclose(file[name], expected, atol=1e-5)
    history = two_devices.history('shared')
    assert set(history) == set(alone.history)
    for name, values in history.items():
        assert alone.history[name] == pytest.approx(values, abs=1e-5), name


def test_accuracy_is_high_when_two_devices_share_batches_of_odd_sizes(two_devices: Pair) -> None:
    assert two_devices.history('odd')['val_binary_accuracy'][-1] >= 0.9


def test_batch_size_is_refused_when_devices_cannot_share_it_equally(two_devices: Pair) -> None:
    message = 'expected a multiple of 2, the number of devices that share each batch, got 7'
    assert message in two_devices.found['refused']['error']
