"""The real pipeline, compiled and rehearsed for Vertex AI and for Kubeflow Pipelines.

There are few runs on few rows: one for each target, and a second one for Kubeflow.
`test_step_runner` shows that the cache is the same for Vertex. The steps are forked from
a process that has imported TFX. `make proof` runs those for Vertex AI as a user does, and
`make test-containers` those for Kubeflow Pipelines, in containers.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest

from pipeline.cloud.rehearsal.workspace import cut_sample
from pipeline.cloud.targets import TARGETS, Target
from pipeline.models.versions import versions
from tests.conftest import NODES, Finished, call_command, run_command, snapshot
from tests.listening import is_loopback, watched
from tests.pipeline.cloud.rehearsal.preloaded import PreloadedEngine

pytestmark = pytest.mark.timeout(3_600)

ROWS = 600
CACHED_AFTER_TRAINING_CHANGED = {
    'ExampleGen',
    'StatisticsGen',
    'SchemaGen',
    'ExampleValidator',
    'Transform',
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rehearsals:
    """A first rehearsal for each target, and a second one for Kubeflow.

    The second one has another training parameter, and a bound that no model meets.

    Attributes:
        folder: Folder that the commands ran in, with one folder for each target.
        first: The first rehearsals, by target.
        second: The second one for Kubeflow.
        served: Files in Kubeflow's serving folder before and after the second one.
    """

    folder: pathlib.Path
    first: dict[Target, Finished]
    second: Finished
    served: tuple[dict[str, str], dict[str, str]]


def options_of(target: Target, *parameters: str) -> list[str]:
    options = [option for parameter in parameters for option in ('--param', parameter)]
    return ['rehearse', '--target', target, '--root', 'root', '--data', 'data', '--json', *options]


@pytest.fixture(scope='module')
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Rehearsals:
    folder = tmp_path_factory.mktemp('rehearsals')
    cut_sample(folder / 'data', rows=ROWS)
    served = folder / 'root' / 'kubeflow' / 'serving'

    def rehearse(target: Target, *parameters: str) -> Finished:
        return call_command(*options_of(target, *parameters), cwd=folder)

    with pytest.MonkeyPatch.context() as patch, watched(os.getpid()) as addresses:
        patch.setattr(
            'pipeline.cloud.rehearsal.rehearse.make_step_engine', lambda *_: PreloadedEngine()
        )
        first = {target: rehearse(target, 'min_accuracy=0.6') for target in TARGETS}
        before = snapshot(served)
        second = rehearse('kubeflow', 'svm_cost=0.5', 'min_accuracy=1')
    assert all(is_loopback(address) for address in addresses)
    return Rehearsals(folder=folder, first=first, second=second, served=(before, snapshot(served)))


def assert_pushed(first: Finished, target: Target, folder: pathlib.Path) -> None:
    """Assert that a first rehearsal ran all steps, and pushed a model."""
    assert first.code == 0, first.err
    outcome = first.json
    assert (outcome['outcome'], outcome['target']) == ('pushed', target)
    assert outcome['baseline'] is None
    assert outcome['parameters']['min_accuracy'] == 0.6
    driver = {'ExampleGenResolver'} if target == 'kubeflow' else set()
    assert first.states() == dict.fromkeys([*NODES, *driver], 'executed')
    lines = [line for line in first.err.splitlines() if f'/{len(first.states())} ' in line]
    assert [line.split()[1] for line in lines] == list(first.states())
    (version,) = versions(folder / 'root' / target / 'serving' / 'sentiment')
    assert outcome['pushed'] == {'path': str(version), 'version': version.name}


@pytest.mark.parametrize('target', TARGETS)
def test_first_candidate_is_blessed_and_pushed(rehearsals: Rehearsals, target: Target) -> None:
    assert_pushed(rehearsals.first[target], target, rehearsals.folder)


@pytest.mark.slow
def test_first_candidate_is_pushed_when_each_step_is_a_new_process(tmp_path: pathlib.Path) -> None:
    cut_sample(tmp_path / 'data', rows=ROWS)
    with watched(os.getpid()) as addresses:
        first = run_command(*options_of('vertex', 'min_accuracy=0.6'), cwd=tmp_path)
    assert_pushed(first, 'vertex', tmp_path)
    assert all(is_loopback(address) for address in addresses)


def test_second_run_is_cached_up_to_transform_when_training_changed(
    rehearsals: Rehearsals,
) -> None:
    states = rehearsals.second.states()
    cached = {name for name, state in states.items() if state == 'cached'}
    assert cached == CACHED_AFTER_TRAINING_CHANGED
    assert {states[name] for name in set(states) - cached} == {'executed'}


def test_candidate_is_compared_with_the_pushed_model_and_held_back(
    rehearsals: Rehearsals,
) -> None:
    assert rehearsals.second.code == 3, rehearsals.second.err
    first, second = rehearsals.first['kubeflow'].json, rehearsals.second.json
    assert second['outcome'] == 'not_blessed'
    of_model = {k: v for k, v in first['metrics'].items() if k != 'test_overlap_percent'}
    assert second['baseline'] == pytest.approx(of_model)
    assert second['baseline_version'] == first['pushed']['version']
    assert '>= 1.0000' in {check['bound'] for check in second['thresholds'] if not check['passed']}
    lowest = first['metrics']['binary_accuracy'] - second['parameters']['max_accuracy_drop']
    assert f'>= {lowest:.4f} (baseline)' in {check['bound'] for check in second['thresholds']}
    assert second['pushed'] is None
    before, after = rehearsals.served
    assert after == before
    assert len(before) > 2


def test_all_files_are_below_the_root(rehearsals: Rehearsals) -> None:
    assert set(os.listdir(rehearsals.folder)) == {'data', 'root'}
    assert set(os.listdir(rehearsals.folder / 'root')) == set(TARGETS)
