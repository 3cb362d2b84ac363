from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.common import features
from components.common.errors import ComponentError
from components.trainer.history import HISTORY_FILE
from components.trainer.run import run_fn
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import COUNTS, KEYS, LABELS, MODEL, TEXT, Tiny, copy_damaged


def run(tiny: Tiny, folder: pathlib.Path, **settings: Any) -> None:
    """Call run_fn as TFX's Trainer does."""
    trainer = trainer_settings('tutorial', **{**MODEL, 'epochs': 2, **settings})
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
