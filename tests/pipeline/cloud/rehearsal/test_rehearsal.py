"""The proof: the real pipeline, compiled, rehearsed as Vertex and as Kubeflow would run it.

Each step is a process that imports TFX, so the runs are few, and the two
targets take theirs side by side.
"""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import os
import pathlib
from typing import Any

import pytest

from components.common.errors import ConfigError, StepFailedError
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.rehearsal.engine import ProcessEngine
from pipeline.cloud.rehearsal.run import Rehearsal
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import TARGETS, Target
from pipeline.models.versions import versions
from pipeline.settings.config import load_config
from tests.conftest import SAMPLE, Finished, run_command, snapshot
from tests.listening import is_loopback, watched
from tests.pipeline.cloud.rehearsal.test_run import Heard

UP_TO_TRANSFORM = ('ExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'Transform')
AFTER_TRANSFORM = ('Trainer', 'Evaluator', 'Pusher')
NO_CACHE = {
    'vertex': {'ServedBaseline'},
    'kubeflow': {'ServedBaseline', 'ExampleGen-driver'},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThreeRuns:
    """A first run, one with another training parameter, one that cannot pass."""

    target: Target
    cwd: pathlib.Path
    first: Finished
    second: Finished
    held_back: Finished
    served_before: dict[str, str]
    served_after: dict[str, str]

    @property
    def serving_dir(self) -> pathlib.Path:
        return self.cwd / 'root' / self.target / 'serving' / 'sentiment'


def _three_runs(target: Target, cwd: pathlib.Path) -> ThreeRuns:
    cwd.mkdir()
    command = ('rehearse', '--target', target, '--root', 'root')
    other = ('--param', 'svm_cost=0.5')
    served = cwd / 'root' / target / 'serving'
    first = run_command(*command, '--json', cwd=cwd)
    second = run_command(*command, *other, '--json', cwd=cwd)
    before = snapshot(served)
    held_back = run_command(*command, *other, '--param', 'min_accuracy=1', cwd=cwd)
    return ThreeRuns(
        target=target,
        cwd=cwd,
        first=first,
        second=second,
        held_back=held_back,
        served_before=before,
        served_after=snapshot(served),
    )


@pytest.fixture(scope='module')
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[Target, ThreeRuns]:
    folder = tmp_path_factory.mktemp('rehearsals')
    with (
        concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool,
        watched(os.getpid()) as listened_at,
    ):
        begun = {target: pool.submit(_three_runs, target, folder / target) for target in TARGETS}
        concurrent.futures.wait(begun.values())
        assert all(is_loopback(address) for address in listened_at)
        return {target: runs.result() for target, runs in begun.items()}


@pytest.fixture(params=TARGETS)
def runs(request: pytest.FixtureRequest, all_runs: dict[Target, ThreeRuns]) -> ThreeRuns:
    return all_runs[request.param]


def test_a_first_run_is_blessed_and_pushed_when_there_is_no_baseline(runs: ThreeRuns) -> None:
    assert runs.first.code == 0, runs.first.err
    outcome = runs.first.json
    assert outcome['outcome'] == 'pushed'
    assert outcome['target'] == runs.target
    assert outcome['baseline'] is None
    assert set(runs.first.states().values()) == {'executed'}
    assert set(runs.first.states()) == {
        *UP_TO_TRANSFORM,
        *AFTER_TRANSFORM,
        *NO_CACHE[runs.target],
    }
    oldest = versions(runs.serving_dir)[0]
    assert outcome['pushed'] == {'path': str(oldest), 'version': oldest.name}


def test_a_second_run_is_cached_up_to_transform_when_training_changed(runs: ThreeRuns) -> None:
    assert runs.second.code == 0, runs.second.err
    states = runs.second.states()
    assert {states[name] for name in UP_TO_TRANSFORM} == {'cached'}
    assert {states[name] for name in AFTER_TRANSFORM} == {'executed'}
    assert {states[name] for name in NO_CACHE[runs.target]} == {'executed'}


def test_a_second_run_is_judged_against_the_first(runs: ThreeRuns) -> None:
    first, second = runs.first.json, runs.second.json
    assert second['baseline'] == pytest.approx(first['metrics'])
    assert second['metrics'] != pytest.approx(first['metrics'])
    lowest = first['metrics']['binary_accuracy'] - second['parameters']['max_accuracy_drop']
    assert f'>= {lowest:.4f} (baseline)' in {check['bound'] for check in second['thresholds']}
    pushed = [path.name for path in versions(runs.serving_dir)]
    assert pushed == [first['pushed']['version'], second['pushed']['version']]


def test_nothing_is_pushed_when_the_bound_is_out_of_reach(runs: ThreeRuns) -> None:
    assert runs.held_back.code == 3, runs.held_back.err
    assert 'Not blessed: nothing was pushed' in runs.held_back.out
    assert 'accuracy: expected >= 1.0000, got 0.' in runs.held_back.out
    assert runs.served_after == runs.served_before
    assert len(runs.served_before) > 2


def test_each_step_has_a_line(runs: ThreeRuns) -> None:
    steps = len(UP_TO_TRANSFORM) + len(AFTER_TRANSFORM) + len(NO_CACHE[runs.target])
    lines = [line.split()[1:] for line in runs.held_back.err.splitlines() if f'/{steps} ' in line]
    told = {words[0]: words[1] for words in lines}
    assert len(lines) == steps
    assert {told[name] for name in (*UP_TO_TRANSFORM, 'Trainer')} == {'cached'}
    assert told['Evaluator'] not in ('cached', 'failed')
    assert any('not blessed' in ' '.join(words) for words in lines)
    assert next(w for w in lines if w[0] == 'Pusher')[-2:] == ['nothing', 'pushed']


def test_all_that_is_written_lies_under_the_root(runs: ThreeRuns) -> None:
    assert os.listdir(runs.cwd) == ['root']
    assert sorted(os.listdir(runs.cwd / 'root')) == sorted(['data', runs.target])


@pytest.fixture(scope='module')
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[Target, Any]:
    """Both specifications and a workspace for each, compiled once."""
    root = tmp_path_factory.mktemp('negative')
    found = {}
    for target in TARGETS:
        workspace = Workspace(root=root, target=target)
        config = load_config(
            preset='ngram',
            flags={
                'data.path': str(SAMPLE / 'reviews.csv'),
                'serving_dir': str(workspace.serving_dir('sentiment')),
                'cloud.image': 'reviews:1',
                'cloud.pipeline_root': workspace.pipeline_root,
            },
        )
        found[target] = (compile_pipeline(config, target), workspace)
    return found


def _rehearse(pipeline: Any, workspace: Workspace) -> Heard:
    heard = Heard()
    Rehearsal(
        pipeline=pipeline,
        values=pipeline.parameter_values([]),
        engine=ProcessEngine(),
        workspace=workspace,
        run_id=workspace.new_run(),
    ).run(heard, heard)
    return heard


@pytest.mark.parametrize('target', TARGETS)
def test_the_step_is_named_when_its_class_does_not_exist(
    specs: dict[Target, Any], target: Target
) -> None:
    pipeline, workspace = specs[target]
    spec = copy.deepcopy(pipeline.spec)
    # Alone, so that no other step takes its time before.
    task = spec['root']['dag']['tasks']['SchemaGen']
    spec['root']['dag']['tasks'] = {'SchemaGen': task}
    args = spec['deploymentSpec']['executors']['SchemaGen_executor']['container']['args']
    args[args.index('--executor_class_path') + 1] = 'components.schema.executor.NoSuchExecutor'
    with pytest.raises(StepFailedError, match='SchemaGen failed with exit code 1: .*NoSuchExec'):
        _rehearse(dataclasses.replace(pipeline, spec=spec), workspace)


@pytest.mark.parametrize('target', TARGETS)
def test_a_parameter_is_refused_when_it_has_neither_value_nor_default(
    specs: dict[Target, Any], target: Target
) -> None:
    pipeline, workspace = specs[target]
    spec = copy.deepcopy(pipeline.spec)
    definition = spec['root']['inputDefinitions']['parameters']['svm_cost']
    del definition['defaultValue'], definition['isOptional']
    changed = dataclasses.replace(pipeline, spec=spec, parameters={})
    with pytest.raises(ConfigError, match='the parameter svm_cost has neither a value nor a def'):
        _rehearse(changed, workspace)
