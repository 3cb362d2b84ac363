from __future__ import annotations

import json
import logging
import math
import pathlib
import shutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components import features
from components.example_gen.summary import ExamplesSummary
from components.progress import PROGRESS_LOGGER
from components.settings import TrainerSettings
from components.trainer.dataset import LabelledTokens
from components.trainer.run import HISTORY_FILE, fit, run_fn
from tests.components.trainer.tiny import COUNTS, LABELS, TEXT, TRAINER, Exported, Tiny, build

KEYS = {'loss', 'binary_accuracy', 'val_loss', 'val_binary_accuracy'}


def noise(count: int, seed: int) -> LabelledTokens:
    """Make rows whose labels nothing tells: a model can only learn them by heart."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, TEXT.vocab_size, [count, TEXT.max_tokens], dtype=np.int32)
    return LabelledTokens(tokens, rng.integers(0, 2, [count, 1]).astype(np.float32))


def fit_noise(log_dir: pathlib.Path, **settings: Any) -> tuple[keras.Model, dict[str, list[float]]]:
    chosen = TRAINER.model_copy(update={'learning_rate': 0.3, 'epochs': 6, **settings})
    keras.utils.set_random_seed(chosen.seed)
    model = build()
    return model, fit(model, noise(83, 1), noise(40, 2), chosen, str(log_dir))


def val_loss(model: keras.Model) -> float:
    data = noise(40, 2)
    return float(model.evaluate(data.tokens, data.labels, verbose=0, return_dict=True)['loss'])


def test_model_learns_when_words_tell_the_label(exported: Exported) -> None:
    history = exported.history
    assert set(history) == KEYS
    assert {len(values) for values in history.values()} == {TRAINER.epochs}
    assert history['loss'][-1] < history['loss'][0] < 0.75
    assert history['val_binary_accuracy'][-1] > 0.9


def test_tensorboard_has_files_when_a_model_was_fitted(exported: Exported) -> None:
    for part in ('train', 'validation'):
        (events,) = (exported.logs / part).glob('events.out.tfevents.*')
        tags = {
            value.tag
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
        }
        assert {'epoch_loss', 'epoch_binary_accuracy'} <= tags


def test_model_is_compiled_for_logits_when_it_is_fitted(exported: Exported) -> None:
    config = exported.model.get_compile_config()
    loss, (metric,) = config['loss'], config['metrics']
    assert (loss['class_name'], loss['config']['from_logits']) == ('BinaryCrossentropy', True)
    assert (metric['class_name'], metric['config']['threshold']) == ('BinaryAccuracy', 0.0)
    assert config['optimizer']['class_name'] == 'Adam'
    assert float(exported.model.optimizer.learning_rate) == pytest.approx(TRAINER.learning_rate)


def test_every_batch_is_a_step_when_an_epoch_ends_within_a_round(exported: Exported) -> None:
    steps = TRAINER.epochs * math.ceil(COUNTS['train'] / TRAINER.batch_size)
    assert int(exported.model.optimizer.iterations) == steps


def test_history_is_that_of_the_seed_when_a_fit_is_repeated(tmp_path: pathlib.Path) -> None:
    (model, one), (again, other), (_, third) = (
        fit_noise(tmp_path / str(number), epochs=2, seed=seed)
        for number, seed in enumerate([1, 1, 2])
    )
    assert one == other != third
    for weights, repeated in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(weights, repeated)


@pytest.mark.parametrize('restore', [False, True])
def test_weights_are_of_the_best_epoch_when_it_is_to_be_restored(
    restore: bool, tmp_path: pathlib.Path
) -> None:
    model, history = fit_noise(tmp_path, restore_best_epoch=restore)
    losses = history['val_loss']
    assert len(losses) == 6
    assert min(losses) < losses[-1] - 0.01
    assert val_loss(model) == pytest.approx(min(losses) if restore else losses[-1], abs=1e-5)


def test_progress_is_told_when_an_epoch_ends(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, PROGRESS_LOGGER):
        _, history = fit_noise(tmp_path, epochs=2)
    told = [
        f'epoch {n + 1}/2: val accuracy {history["val_binary_accuracy"][n]:.4f}, '
        f'val loss {history["val_loss"][n]:.4f}'
        for n in range(2)
    ]
    assert [record.getMessage() for record in caplog.records] == told


def run(tiny: Tiny, folder: pathlib.Path, **settings: Any) -> None:
    """Call run_fn as TFX's Trainer does."""
    trainer = TrainerSettings(**{**TRAINER.model_dump(), 'epochs': 2, **settings})
    run_fn(
        FnArgs(
            train_files=[tiny.pattern('train')],
            eval_files=[tiny.pattern('val')],
            transform_graph_path=str(tiny.transform_graph),
            serving_model_dir=str(folder / 'serving'),
            model_run_dir=str(folder / 'run'),
            custom_config={'trainer': trainer.model_dump(), 'text': TEXT.model_dump()},
        )
    )


def test_model_history_and_labels_are_written_when_the_trainer_runs(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    run(tiny, tmp_path)
    history = json.loads((tmp_path / 'run' / HISTORY_FILE).read_text())
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(KEYS, 2)
    assert list((tmp_path / 'run').glob('train/events.out.tfevents.*'))
    assert (tmp_path / 'serving' / 'saved_model.pb').is_file()
    labels = tmp_path / 'serving' / 'assets.extra' / features.LABELS_ASSET
    assert json.loads(labels.read_text()) == list(LABELS)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_training_stops_when_examples_were_lost(
    split: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    copy = Tiny(
        reviews=tiny.reviews,
        examples=tmp_path / 'examples',
        transform_graph=tiny.transform_graph,
    )
    shutil.copytree(tiny.examples, copy.examples)
    next((copy.examples / f'Split-{split}').iterdir()).unlink()
    count = COUNTS[split]
    assert ExamplesSummary.read(str(copy.examples)).examples(split) == count
    message = f'expected the {count} {split} examples that ExampleGen wrote, read {count // 2}$'
    with pytest.raises(RuntimeError, match=message):
        run(copy, tmp_path)
    assert not (tmp_path / 'serving').exists()
