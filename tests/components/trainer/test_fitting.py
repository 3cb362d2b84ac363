from __future__ import annotations

import collections
import logging
import math
import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.progress import PROGRESS_LOGGER
from components.trainer.dataset import Batching, LabelledTokens
from components.trainer.fitting import fit, measure
from components.trainer.models.tutorial.model import build_network
from components.trainer.models.tutorial.settings import TutorialSettings
from tests.components.trainer.tiny import COUNTS, KEYS, MODEL, TEXT, Exported


def noise(count: int, seed: int) -> LabelledTokens:
    """Make rows with random labels, which a model can only memorise."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, TEXT.vocab_size, count * TEXT.max_tokens, dtype=np.int32)
    row_splits = np.arange(count + 1) * TEXT.max_tokens
    return LabelledTokens(tokens, row_splits, rng.integers(0, 2, [count, 1]).astype(np.float32))


def fit_noise(log_dir: pathlib.Path, **settings: Any) -> tuple[keras.Model, dict[str, list[float]]]:
    chosen = TutorialSettings(**{**MODEL, 'learning_rate': 0.3, 'epochs': 6, **settings})
    keras.utils.set_random_seed(1)
    model = build_network(chosen, TEXT)
    train = noise(83, 1).batches(Batching(TEXT.max_tokens, chosen.batch_size, 1))
    val = noise(40, 2).batches(Batching(TEXT.max_tokens, 1_024))
    return model, fit(
        model,
        train,
        val,
        epochs=chosen.epochs,
        restore_best_epoch=chosen.restore_best_epoch,
        log_dir=str(log_dir),
    )


def val_loss(model: keras.Model) -> float:
    data = noise(40, 2)
    tokens = data.padded(TEXT.max_tokens)
    return float(model.evaluate(tokens, data.labels, verbose=0, return_dict=True)['loss'])


def read_events(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Return the steps and values of each tag in a folder with one file of events."""
    (events,) = folder.glob('events.out.tfevents.*')
    found: dict[str, list[tuple[int, float]]] = collections.defaultdict(list)
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            if value.tensor.dtype == tf.float32.as_datatype_enum:
                found[value.tag].append((event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_model_learns_when_words_indicate_the_label(exported: Exported) -> None:
    history = exported.history
    assert set(history) == KEYS
    assert {len(values) for values in history.values()} == {MODEL['epochs']}
    assert history['loss'][-1] < history['loss'][0] < 0.75
    assert history['val_binary_accuracy'][-1] > 0.9
    for part in ('train', 'validation'):
        assert {'epoch_loss', 'epoch_binary_accuracy'} <= set(read_events(exported.logs / part))


def test_model_is_compiled_for_logits_when_it_is_fitted(exported: Exported) -> None:
    network = exported.model.network
    config = network.get_compile_config()
    loss, (metric,) = config['loss'], config['metrics']
    assert (loss['class_name'], loss['config']['from_logits']) == ('BinaryCrossentropy', True)
    assert (metric['class_name'], metric['config']['threshold']) == ('BinaryAccuracy', 0.0)
    assert config['optimizer']['class_name'] == 'Adam'
    assert float(network.optimizer.learning_rate) == pytest.approx(MODEL['learning_rate'])
    # Every batch is a step, also a last one that is smaller.
    steps = MODEL['epochs'] * math.ceil(COUNTS['train'] / MODEL['batch_size'])
    assert int(network.optimizer.iterations) == steps


@pytest.mark.parametrize('restore', [False, True])
def test_weights_are_of_the_best_epoch_when_it_is_restored(
    restore: bool, tmp_path: pathlib.Path
) -> None:
    model, history = fit_noise(tmp_path, restore_best_epoch=restore)
    losses = history['val_loss']
    assert len(losses) == 6
    assert min(losses) < losses[-1] - 0.01
    assert val_loss(model) == pytest.approx(min(losses) if restore else losses[-1], abs=1e-5)


def test_progress_is_logged_when_an_epoch_ends(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, PROGRESS_LOGGER):
        _, history = fit_noise(tmp_path, epochs=2)
    expected = [
        f'epoch {n + 1}/2: val accuracy {history["val_binary_accuracy"][n]:.4f}, '
        f'val loss {history["val_loss"][n]:.4f}'
        for n in range(2)
    ]
    assert [record.getMessage() for record in caplog.records] == expected


def test_metrics_equal_those_of_the_formulas_when_logits_are_measured(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.array([[0], [1], [1], [0]], np.float32)
    # The threshold is a probability of 0.5: a logit of 0 is not above it, one of 0.3 is.
    logits = np.array([[-1], [0.3], [0], [2]], np.float32)
    parts = {'train': (labels, logits), 'val': (labels[:3], logits[:3])}
    with caplog.at_level(logging.INFO, PROGRESS_LOGGER):
        measured = measure(parts, str(tmp_path))
    (record,) = caplog.records
    first = [math.log1p(math.exp(-1)), math.log1p(math.exp(-0.3)), math.log(2)]
    last = math.log1p(math.exp(2))
    assert measured == {
        'loss': [pytest.approx((sum(first) + last) / 4)],
        'binary_accuracy': [0.5],
        'val_loss': [pytest.approx(sum(first) / 3)],
        'val_binary_accuracy': [pytest.approx(2 / 3)],
    }
    for part, prefix in (('train', ''), ('validation', 'val_')):
        assert read_events(tmp_path / part) == {
            f'epoch_{name}': [(0, pytest.approx(measured[prefix + name][0]))]
            for name in ('loss', 'binary_accuracy')
        }
    assert record.getMessage() == f'val accuracy 0.6667, val loss {sum(first) / 3:.4f}'
