from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

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


def train_on_two_devices(
    tiny: Tiny, folder: pathlib.Path, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Train with `mirrored` in a process that has two devices, see `training.main`."""
    paths = [tiny.examples, tiny.transform_graph, folder / 'mirrored', folder / 'weights.npz']
    return subprocess.run(
        [
            *(sys.executable, '-m', 'tests.components.trainer.models.tutorial.training'),
            *(*map(str, paths), json.dumps({**MODEL, **settings, 'distribution': 'mirrored'})),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_accuracy_is_equal_when_examples_are_streamed(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    kept, streamed = (
        train_here(tiny, tmp_path / kind, input=kind) for kind in ('memory', 'stream')
    )
    assert set(streamed.history) == KEYS
    assert streamed.history['val_binary_accuracy'][-1] >= 0.9
    assert streamed.history['val_loss'][-1] == pytest.approx(kept.history['val_loss'][-1], abs=0.1)


def test_weights_are_equal_when_two_devices_share_each_streamed_batch(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    # One batch in an epoch and no dropout, so that order does not matter. The devices have equal
    # shares of the 120 examples of train and 40 of val.
    settings = {'dropout': 0, 'batch_size': 1_000, 'input': 'stream'}
    done = train_on_two_devices(tiny, tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    alone = train_here(tiny, tmp_path / 'logs', **settings)
    with np.load(tmp_path / 'weights.npz') as file:
        for name, expected in zip(file.files, alone.model.get_weights()):
            np.testing.assert_allclose(file[name], expected, atol=1e-5)
    for name, values in json.loads(done.stdout).items():
        assert alone.history[name] == pytest.approx(values, abs=1e-5), name


def test_accuracy_is_high_when_two_devices_share_batches_of_odd_sizes(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    examples = tmp_path / 'examples'
    shutil.copytree(tiny.examples, examples)
    shutil.rmtree(examples / 'Split-val')
    write_split(examples / 'Split-val', [tiny.reviews['val'][:-1]])
    write_summary(examples, {'train': (60, 60), 'val': (20, 19)})
    odd = dataclasses.replace(tiny, examples=examples)
    done = train_on_two_devices(odd, tmp_path, batch_size=34)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)['val_binary_accuracy'][-1] >= 0.9


def test_batch_size_is_refused_when_devices_cannot_share_it_equally(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    done = train_on_two_devices(tiny, tmp_path, batch_size=7)
    message = 'expected a multiple of 2, the number of devices that share each batch, got 7'
    assert message in done.stderr
