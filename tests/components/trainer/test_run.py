from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.common import features
from components.common.decision_threshold import (
    THRESHOLD_ASSET,
    DecisionThreshold,
    read_decision_threshold,
    read_threshold,
)
from components.common.errors import ComponentError, ConfigError
from components.common.model_identity import identity_of_model
from components.label_issues.table import read_summary
from components.trainer.history import HISTORY_FILE
from components.trainer.run import run_fn
from components.trainer.settings import TrainerSettings
from components.trainer.threshold import (
    TUNED_THRESHOLD_FILE,
    parse_tuned_threshold,
    tune_threshold,
)
from components.trainer.threshold_aim import Aim
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import (
    COUNTS,
    KEYS,
    LABELS,
    MODEL,
    TEXT,
    Tiny,
    copy_damaged,
    write_split,
    write_summary,
)


def run(
    tiny: Tiny,
    folder: pathlib.Path,
    decision: dict[str, Any] | None = None,
    architecture: str = 'tutorial',
    **settings: Any,
) -> None:
    """Call run_fn as TFX's Trainer does."""
    model = {**MODEL, 'epochs': 2, **settings} if architecture == 'tutorial' else settings
    trainer = trainer_settings(architecture, **model)
    trainer = TrainerSettings.model_validate(trainer.model_dump() | (decision or {}))
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


@pytest.fixture(scope='module')
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a training with the default threshold; do not change it."""
    folder = tmp_path_factory.mktemp('trained')
    run(tiny, folder)
    return folder


def test_model_history_and_labels_are_written_when_the_trainer_runs(trained: pathlib.Path) -> None:
    history = json.loads((trained / 'run' / HISTORY_FILE).read_text())
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(KEYS, 2)
    assert list((trained / 'run').glob('train/events.out.tfevents.*'))
    assert (trained / 'serving' / 'saved_model.pb').is_file()
    labels = trained / 'serving' / 'assets.extra' / features.LABELS_ASSET
    assert json.loads(labels.read_text()) == list(LABELS)


def test_train_is_not_examined_when_a_model_has_no_out_of_fold_scores(
    trained: pathlib.Path,
) -> None:
    assert read_summary(str(trained / 'run')) is None


def test_model_has_no_threshold_file_when_the_threshold_is_the_default(
    trained: pathlib.Path, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    extra = trained / 'serving' / 'assets.extra'
    assert sorted(path.name for path in extra.iterdir()) == ['labels.json', 'settings.json']
    settings = json.loads((extra / 'settings.json').read_text())
    # Those of models that were pushed before there was a threshold.
    assert set(settings['trainer']) == {'model', 'seed'}
    assert read_threshold(str(trained / 'serving')) == 0.5

    run(tiny, tmp_path / 'low', {'threshold': 0.3})
    low = tmp_path / 'low' / 'serving'
    assert read_decision_threshold(str(low)) == DecisionThreshold(threshold=0.3)
    assert not (tmp_path / 'low' / 'run' / TUNED_THRESHOLD_FILE).exists()
    # The models differ in the threshold alone, so they are two models.
    assert (low / 'assets.extra' / 'settings.json').read_text() == (
        extra / 'settings.json'
    ).read_text()
    bare = shutil.copytree(low, tmp_path / 'bare')
    (bare / 'assets.extra' / THRESHOLD_ASSET).unlink()
    assert identity_of_model(str(low)) != identity_of_model(str(bare))


def test_threshold_is_that_of_the_served_scores_of_val_when_it_is_tuned(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    run(tiny, tmp_path, {'threshold': 'tuned', 'threshold_aim': 'f1'})
    texts, labels = zip(*tiny.reviews['val'])
    signature = tf.saved_model.load(str(tmp_path / 'serving')).signatures['serving_text']
    scores = signature(text=tf.constant(texts))['probability'].numpy()
    expected = tune_threshold(np.array(labels), scores, Aim('f1'))
    tuned = parse_tuned_threshold((tmp_path / 'run' / TUNED_THRESHOLD_FILE).read_bytes())
    assert tuned.threshold == pytest.approx(expected.threshold, abs=1e-6)
    assert (tuned.value, tuned.aim, tuned.examples) == (expected.value, 'f1', COUNTS['val'])
    decision = read_decision_threshold(str(tmp_path / 'serving'))
    assert decision == DecisionThreshold(threshold=tuned.threshold, aim='f1')


def test_threshold_is_that_of_out_of_fold_scores_when_the_model_learned_from_val(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    # The labels of val are those of a coin, which the model may have learned by heart.
    copy = dataclasses.replace(tiny, examples=tmp_path / 'examples')
    shutil.copytree(tiny.examples, copy.examples)
    shutil.rmtree(copy.examples / 'Split-val')
    words = np.random.default_rng(1).integers(0, 10, [200, 12])
    texts = [' '.join(f'word{word}' for word in row) for row in words]
    write_split(copy.examples / 'Split-val', [[(text, i % 2) for i, text in enumerate(texts)]])
    write_summary(copy.examples, {'train': (60, 60), 'val': (100, 100), 'test': (30, 30)})
    run(copy, tmp_path, {'threshold': 'tuned', 'threshold_aim': 'accuracy'}, 'ngram')
    tuned = parse_tuned_threshold((tmp_path / 'run' / TUNED_THRESHOLD_FILE).read_bytes())
    signature = tf.saved_model.load(str(tmp_path / 'serving')).signatures['serving_text']
    scores = signature(text=tf.constant(texts))['probability'].numpy()
    learned = tune_threshold(np.arange(200) % 2, scores, Aim('accuracy'))
    assert learned.value > 0.85
    assert tuned.value < 0.62


def test_run_stops_before_training_when_val_is_too_small_to_tune_on(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    copy = dataclasses.replace(tiny, examples=tmp_path / 'examples')
    shutil.copytree(tiny.examples, copy.examples)
    write_summary(copy.examples, {'train': (60, 60), 'val': (21, 19), 'test': (30, 30)})
    with pytest.raises(ConfigError, match='got 21 negative and 19 positive ones$'):
        run(copy, tmp_path, {'threshold': 'tuned'})
    assert not (tmp_path / 'run').exists()


def test_run_stops_when_no_threshold_has_the_precision(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    copy = dataclasses.replace(tiny, examples=tmp_path / 'examples')
    shutil.copytree(tiny.examples, copy.examples)
    shutil.rmtree(copy.examples / 'Split-val')
    # One text has one score, and half of its labels are positive.
    write_split(copy.examples / 'Split-val', [[('one text', number % 2) for number in range(40)]])
    aim = {'threshold': 'tuned', 'threshold_aim': 'recall at precision 0.6'}
    message = 'no threshold has a precision of 0.6 on val; the highest precision is 0.5000'
    with pytest.raises(ConfigError, match=message):
        run(copy, tmp_path, aim)
    assert read_threshold(str(tmp_path / 'serving')) == 0.5


@pytest.mark.parametrize('damage', ['dropped', 'truncated', 'duplicated'])
@pytest.mark.parametrize(('split', 'kind'), [('train', 'memory'), ('val', 'stream')])
def test_training_fails_when_a_shard_is(
    split: str, kind: str, damage: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    copy, left = copy_damaged(tiny, tmp_path, split, damage)
    count = COUNTS[split]
    message = f'^Trainer: expected the {count} examples of {split} that .* wrote, got {left}$'
    with pytest.raises(ComponentError, match=message):
        run(copy, tmp_path, input=kind)
    assert not (tmp_path / 'serving').exists()
