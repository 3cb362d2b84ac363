"""A small pipeline runs step by step, as each of the services would run it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError, StepFailedError
from pipeline.cloud.rehearsal.engines import ProcessEngine
from pipeline.cloud.rehearsal.step_runner import LocalArtifact, StepRunner
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import small_pipelines
from tests.pipeline.cloud.rehearsal.small_pipelines import MAKE, RecordedProgress

ALL_EXECUTED = {'First': 'executed', 'Second': 'executed'}


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs a small pipeline in one folder, again and again."""

    folder: pathlib.Path
    target: Target

    @property
    def workspace(self) -> Workspace:
        return Workspace(root=self.folder, target=self.target)

    def prepare(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> StepRunner:
        return StepRunner(
            pipeline=small_pipelines.compiled(self.target, spec, self.workspace.bucket),
            values={'size': size},
            engine=ProcessEngine(),
            workspace=self.workspace,
            run_id=self.workspace.start_run(),
        )

    def run(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> StepRunner:
        runner = self.prepare(spec, size=size)
        runner.run(RecordedProgress())
        return runner

    def states(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> dict[str, str]:
        return {result.id: result.state for result in self.run(spec, size=size).results}

    def read(self, uri: str) -> Any:
        """Return the content of the JSON file in the folder of an artifact."""
        (path,) = self.workspace.find(uri).iterdir()
        return json.loads(path.read_text())


@pytest.fixture(params=TARGETS)
def runs(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Runs:
    return Runs(tmp_path, request.param)


@pytest.fixture
def vertex(tmp_path: pathlib.Path) -> Runs:
    return Runs(tmp_path, 'vertex')


@pytest.fixture
def kubeflow(tmp_path: pathlib.Path) -> Runs:
    return Runs(tmp_path, 'kubeflow')


def with_code(code: str, *args: str, step: str = 'first') -> dict[str, Any]:
    """Return the specification with another program in a step."""
    spec = small_pipelines.spec()
    spec['deploymentSpec']['executors'][step] = small_pipelines.container(code, *args)
    return spec


def test_steps_run_in_order_and_are_shown(runs: Runs) -> None:
    runner, progress = runs.prepare(), RecordedProgress()
    runner.run(progress)
    assert progress.lines == [
        'First Second',
        '1/2 First',
        '1/2 First executed',
        '2/2 Second',
        '2/2 Second executed',
    ]
    assert all(result.seconds > 0 for result in runner.results)


def test_step_reads_the_outputs_of_the_step_before(runs: Runs) -> None:
    model = runs.run(size=5).outputs['Second'].artifacts['model']
    seen = {'data': ['data.txt']}
    assert model.metadata['made'] == 'model'
    assert model.metadata['seen'] == (seen if runs.target == 'vertex' else {'struct': seen})
    assert runs.read(model.uri) == {'size': 5}


def test_steps_are_cached_until_a_parameter_changes(runs: Runs) -> None:
    assert runs.states() == ALL_EXECUTED
    assert runs.states() == {'First': 'cached', 'Second': 'cached'}
    assert runs.states(size=4) == {'First': 'cached', 'Second': 'executed'}
    assert runs.states(size=3) == {'First': 'cached', 'Second': 'cached'}


def test_steps_run_again_after_a_step_that_is_never_cached(runs: Runs) -> None:
    spec = small_pipelines.spec()
    spec['root']['dag']['tasks']['First']['cachingOptions'] = {}
    assert runs.states(spec) == ALL_EXECUTED
    assert runs.states(spec) == ALL_EXECUTED


def test_run_ends_and_later_steps_are_skipped_when_a_step_fails(runs: Runs) -> None:
    runner = runs.prepare(with_code('print("about to"); raise ValueError("no such thing")'))
    progress = RecordedProgress()
    with pytest.raises(StepFailedError, match='First failed with exit code 1: ValueError: no') as e:
        runner.run(progress)
    states = [(result.id, result.state) for result in runner.results]
    assert states == [('First', 'failed'), ('Second', 'skipped')]
    assert progress.lines[1:] == ['1/2 First', '1/2 First failed']
    assert (e.value.tail[0], e.value.tail[-1]) == ('about to', 'ValueError: no such thing')
    assert 'no such thing' in runs.workspace.log(runner.run_id, 'First').read_text()


def test_failed_step_is_not_cached(runs: Runs, tmp_path: pathlib.Path) -> None:
    ready = tmp_path / 'ready'
    code = f'import os; assert os.path.exists({str(ready)!r}), "not ready"{MAKE}'
    spec = with_code(code, step='second')
    with pytest.raises(StepFailedError, match='AssertionError: not ready'):
        runs.run(spec)
    ready.touch()
    assert runs.states(spec) == {'First': 'cached', 'Second': 'executed'}


def test_step_sees_only_its_inputs_when_the_service_is_kubeflow(kubeflow: Runs) -> None:
    code = (
        'import os, pathlib\n'
        "found = pathlib.Path(os.environ['OBJECT_STORE_MOUNTS']).rglob('data.txt')\n"
        f'assert not list(found), "sees the data"\n{MAKE}'
    )
    spec = with_code(code, step='second')
    del spec['root']['dag']['tasks']['Second']['inputs']['artifacts']
    assert kubeflow.states(spec) == ALL_EXECUTED


def test_step_fails_when_it_reports_a_local_path_and_the_service_is_kubeflow(
    kubeflow: Runs,
) -> None:
    code = MAKE.replace("{'metadata'", "{'uri': '/minio/bucket/x', 'metadata'")
    with pytest.raises(ComponentError, match='local path for URI /minio/bucket/x: unsupported'):
        kubeflow.run(with_code(code))


PRE_CACHE_CHECK = """
import json, pathlib, sys
step = json.loads(sys.argv[1])
pathlib.Path(step['outputs']['outputFile']).write_text(json.dumps({
    'parameterValues': {'fingerprint': pathlib.Path(FILE).read_text()},
    'artifacts': {'data': {'artifacts': [{'metadata': {'span': 4}}]}},
}))
"""


def with_pre_cache_check(code: str) -> dict[str, Any]:
    spec = small_pipelines.spec()
    hook = {'command': ['python', '-c', code], 'args': ['{{$}}']}
    container = spec['deploymentSpec']['executors']['first']['container']
    container['lifecycle'] = {'preCacheCheck': hook}
    return spec


def test_findings_of_the_pre_cache_check_are_part_of_the_cache_key_on_vertex(
    vertex: Runs, tmp_path: pathlib.Path
) -> None:
    data = tmp_path / 'data'
    spec = with_pre_cache_check(PRE_CACHE_CHECK.replace('FILE', repr(str(data))))
    data.write_text('old')
    assert vertex.states(spec)['First'] == 'executed'
    assert vertex.states(spec)['First'] == 'cached'
    data.write_text('new')
    runner = vertex.run(spec)
    assert runner.results[0].state == 'executed'
    made = runner.outputs['First'].artifacts['data']
    assert made.metadata == {'span': 4, 'made': 'data', 'seen': {}, 'number': 1}
    assert vertex.read(made.uri)['fingerprint'] == 'new'


def test_failing_pre_cache_check_fails_the_step_on_vertex_and_is_ignored_on_kubeflow(
    vertex: Runs, kubeflow: Runs
) -> None:
    spec = with_pre_cache_check('raise SystemExit(4)')
    with pytest.raises(StepFailedError, match='the driver of First failed with exit code 4'):
        vertex.run(spec)
    assert kubeflow.states(spec)['First'] == 'executed'


IN_REPORT = "report['parameterValues'][sys.argv[2]] = 'found'"
IN_FILE = "pathlib.Path(step['outputs']['parameters']['words']['outputFile']).write_text('found')"


@pytest.mark.parametrize('code', [IN_REPORT, IN_FILE])
def test_output_parameter_is_an_input_of_the_next_step_and_cached(runs: Runs, code: str) -> None:
    spec = with_code(MAKE.replace(IN_REPORT, code), 'words')
    declared = {'words': {'parameterType': 'STRING'}}
    spec['components']['First']['outputDefinitions']['parameters'] = declared
    spec['components']['Second']['inputDefinitions']['parameters'].update(declared)
    spec['root']['dag']['tasks']['Second']['inputs']['parameters']['words'] = {
        'taskOutputParameter': {'producerTask': 'First', 'outputParameterKey': 'words'}
    }
    for state in ('executed', 'cached'):
        runner = runs.run(spec)
        assert {result.state for result in runner.results} == {state}
        assert runner.outputs['First'].parameters == {'words': 'found'}
        assert runs.read(runner.outputs['Second'].artifacts['model'].uri)['words'] == 'found'


def test_step_fails_when_its_outputs_cannot_be_read(vertex: Runs) -> None:
    spec = small_pipelines.spec()
    spec['root']['dag']['tasks'] = {'ExampleGen': spec['root']['dag']['tasks']['First']}
    outputs = spec['components']['First']['outputDefinitions']['artifacts']
    outputs['examples'] = outputs.pop('data')
    with pytest.raises(ComponentError, match='ExampleGen succeeded, but its outputs cannot be'):
        vertex.run(spec)


def test_properties_of_an_artifact_are_read_as_tfx_reads_them() -> None:
    artifact = LocalArtifact(uri='/p', metadata={'pushed': 1.0, 'custom:pushed_version': '7'})
    assert artifact.get_int_custom_property('pushed') == 1
    assert artifact.get_string_custom_property('pushed_version') == '7'
    assert artifact.get_int_custom_property('other') == 0
    assert artifact.get_string_custom_property('other') == ''
