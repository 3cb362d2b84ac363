"""A model that a rollback withdrew stays withdrawn when another process trains it again."""

from __future__ import annotations

import pathlib

import pytest

from tests.conftest import REPO, SAMPLE, call_command, run_command, snapshot

pytestmark = pytest.mark.slow
# The first model is the baseline of all others, some of which are worse.
LOW_BOUNDS = ('--set', 'gate.min_accuracy=0.4', '--set', 'gate.max_accuracy_drop=0.5')
MODELS = {
    'ngram': ('--preset', 'ngram'),
    'tutorial': ('--preset', 'tutorial'),
    'accurate': ('--preset', 'accurate'),
    'module': (
        *('--module', str(REPO / 'examples' / 'gru.py')),
        *('--set', 'trainer.model.epochs=2', '--set', 'text.max_tokens=60'),
        *('--set', 'gate.min_auc=0.51'),
    ),
}


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a first version."""
    home = tmp_path_factory.mktemp('home')
    done = call_command('run', '--data', str(SAMPLE), '--set', 'trainer.seed=2', cwd=home)
    assert done.code == 0, done.err
    return home


@pytest.mark.parametrize('model', MODELS)
def test_model_stays_withdrawn_when_another_process_trains_it_again(
    model: str, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ('run', '--data', str(SAMPLE), '--json', *MODELS[model], *LOW_BOUNDS)
    monkeypatch.setenv('PYTHONHASHSEED', '1')
    pushed = run_command(*command, cwd=home)
    assert pushed.code == 0, pushed.err
    assert pushed.json['outcome'] == 'pushed'
    version = pushed.json['pushed']['version']
    back = call_command('models', 'rollback', '--json', cwd=home)
    assert back.code == 0, back.err
    assert back.json['withdrawn'] == [version]
    serving = home / 'runs' / 'serving'
    before = snapshot(serving)

    monkeypatch.setenv('PYTHONHASHSEED', '2')
    again = run_command(*command, '--again', 'Trainer', cwd=home)
    assert again.code == 0, again.err
    assert again.states()['Trainer'] == 'executed'
    assert again.json['outcome'] == 'withdrawn'
    assert again.json['withdrawn']['version'] == version
    assert again.json['metrics'] == pushed.json['metrics']
    assert f'a rollback withdrew this model, version {version}' in again.err
    assert snapshot(serving) == before
