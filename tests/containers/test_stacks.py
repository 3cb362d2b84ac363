"""Both stacks give the same results, and each serves the models of the other.

The older stack is the one that runs the tests, the newer one that of the image.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

from components.common import features
from pipeline.cloud.targets import TARGETS, Target
from pipeline.settings.presets import OWN_PRESETS
from requirements.stacks import NEW, OLD
from tests.conftest import REPO, SAMPLE
from tests.containers.engine import LABEL, Engine, say

pytestmark = pytest.mark.current

MAX_ACCURACY_DIFFERENCE = 0.003
# Of a probability, and of what an n-gram adds to a logit.
MAX_SCORE_DIFFERENCE = 1e-4
STACKS = (OLD.name, NEW.name)


@pytest.fixture(scope='module')
def folder(engine: Engine, image: str) -> pathlib.Path:
    """Return the folder with the runs of both stacks, and the scores of both by both models."""
    if importlib.metadata.version('tfx') != OLD.tfx:
        pytest.skip(f'needs TFX {OLD.tfx} outside of the image: make test-current STACK={OLD.name}')
    folder = engine.folder / 'stacks'
    folder.mkdir()

    def run_on(stack: str, *args: str) -> None:
        say(f'TFX {stack}: {" ".join(args)}')
        command = ['-m', 'tests.containers.stack_probe', *args]
        if stack == OLD.name:
            engine.run_visibly(sys.executable, *command, cwd=REPO)
            return
        # The code of the checkout, not that of the image, so that both stacks run the same.
        mounts = [f'--volume={REPO}:{REPO}:ro', f'--volume={folder}:{folder}']
        # With podman, root in the container is the user who runs it.
        user = '0:0' if engine.name == 'podman' else f'{os.getuid()}:{os.getgid()}'
        options = [f'--label={LABEL}', f'--user={user}', f'--workdir={REPO}', '--env=HOME=/tmp']
        run = [engine.name, 'run', '--rm', *options, *mounts, image]
        engine.run_visibly(*run, 'python', *command)

    for stack in STACKS:
        run_on(stack, 'run', str(folder / stack), str(SAMPLE))
    for stack in STACKS:
        for owner in STACKS:
            for preset in OWN_PRESETS:
                results = folder / owner / preset
                run_on(stack, 'score', str(results / 'serving'), str(results / f'by-{stack}.json'))
    return folder


def load(folder: pathlib.Path, owner: str, preset: str, name: str) -> Any:
    return json.loads((folder / owner / preset / f'{name}.json').read_text(encoding='utf-8'))


@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_accuracies_agree_when_data_and_seed_are_the_same(
    folder: pathlib.Path, preset: str
) -> None:
    old, new = (load(folder, stack, preset, 'outcome') for stack in STACKS)
    assert old['outcome'] == new['outcome'] == 'pushed'
    assert old['metrics']['binary_accuracy'] == pytest.approx(
        new['metrics']['binary_accuracy'], rel=0, abs=MAX_ACCURACY_DIFFERENCE
    )


@pytest.mark.parametrize('owner', STACKS)
@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_scores_agree_when_either_stack_serves_the_model(
    folder: pathlib.Path, preset: str, owner: str
) -> None:
    answers = [load(folder, owner, preset, f'by-{stack}') for stack in STACKS]
    expected = answers[0][features.TEXT_SIGNATURE]
    assert len(expected) > 100
    for answer in answers:
        for signature in (features.TEXT_SIGNATURE, features.EXAMPLES_SIGNATURE):
            assert_close(answer[signature], expected)
    for old, new in zip(*(answer[features.EXPLAIN_SIGNATURE] for answer in answers)):
        ngrams = sorted({*old, *new})
        # An n-gram that an explanation does not list adds nothing.
        assert_close([old.get(n, 0.0) for n in ngrams], [new.get(n, 0.0) for n in ngrams])


def assert_close(actual: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=MAX_SCORE_DIFFERENCE, equal_nan=False)


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_compiled_pipelines_differ_in_fingerprints_and_versions_alone(
    folder: pathlib.Path, preset: str, target: Target
) -> None:
    old, new = (
        (folder / stack / preset / f'{target}.yaml').read_text(encoding='utf-8').splitlines()
        for stack in STACKS
    )
    assert len(old) > 100
    assert not list(difflib.unified_diff(old, new, *STACKS, lineterm='', n=1))
