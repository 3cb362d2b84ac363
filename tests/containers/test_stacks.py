"""What one stack makes, the other makes, too, and each takes what the other has made."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks.report import load
from benchmarks.stacks.exchange import own_name
from requirements.stacks import OLD, STACKS
from tests.conftest import SAMPLE
from tests.containers import stacks
from tests.containers.engine import Engine, say

pytestmark = pytest.mark.current


@pytest.fixture(scope='module')
def exchanged(engine: Engine, image: str) -> pathlib.Path:
    """What both stacks have left, having learned from the sample."""
    if own_name() != f'tfx-{OLD.name}':
        pytest.skip(f'needs TFX {OLD.tfx} outside of the image')
    folder = engine.folder / 'stacks'
    stacks.exchange(engine, image, folder, SAMPLE)
    return folder


def test_metrics_models_and_compiled_pipelines_agree_when_data_and_seed_are_the_same(
    exchanged: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / 'results.json'
    done = stacks.compare(exchanged, '--output', str(output))
    say(f'both stacks on the sample:\n{done.stdout}')
    assert done.returncode == 0, done.stderr
    results = load(output)
    assert set(results['stacks']) == {f'tfx-{name}' for name in STACKS}
    assert {facts['versions']['tfx'] for facts in results['stacks'].values()} == {
        stack.tfx for stack in STACKS.values()
    }
    assert set(results['presets']) == {'ngram', 'accurate', 'tutorial'}
