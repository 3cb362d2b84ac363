"""Toy pipelines run step by step, as each of the services would run them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError, StepFailedError
from pipeline.cloud.rehearsal.played_run import PlayedRun
from pipeline.cloud.rehearsal.step_engines import ProcessEngine
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import toys

ALL_EXECUTED = {'First': 'executed', 'Second': 'executed'}


@dataclasses.dataclass(frozen=True)
class Toy:
    """Rehearses in one folder, again and again."""

    folder: pathlib.Path
    target: Target

    @property
    def workspace(self) -> Workspace:
        return Workspace(root=self.folder, target=self.target)

    def prepare(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> PlayedRun:
        return PlayedRun(
            pipeline=toys.compiled(self.target, spec, self.workspace.bucket),
            values={'size': size},
            engine=ProcessEngine(),
            workspace=self.workspace,
            run_id=self.workspace.start_run(),
        )

    def run(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> PlayedRun:
        played = self.prepare(spec, size=size)
        progress = toys.RecordedProgress()
        played.run(progress, lambda _, outputs: ', '.join(outputs.artifacts))
        return played

    def states(self, spec: dict[str, Any] | None = None, *, size: int = 3) -> dict[str, str]:
        return {result.id: result.state for result in self.run(spec, size=size).results}


@pytest.fixture(params=TARGETS)
def toy(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, request.param)


@pytest.fixture
def on_vertex(tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, 'vertex')


@pytest.fixture
def on_kubeflow(tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, 'kubeflow')


def with_code(code: str, *args: str, step: str = 'first') -> dict[str, Any]:
    """Return the toy specification with another program in a step."""
    spec = toys.spec()
    spec['deploymentSpec']['executors'][step] = toys.container(code, *args)
    return spec


def test_steps_run_in_order_and_are_shown(toy: Toy) -> None:
    played, progress = toy.prepare(), toys.RecordedProgress()
    played.run(progress, lambda _, outputs: ', '.join(outputs.artifacts))
    assert progress.lines == [
        'First Second',
        '1/2 First',
        '1/2 First executed data',
        '2/2 Second',
        '2/2 Second executed model',
    ]
    assert all(result.seconds > 0 for result in played.results)


def test_step_reads_the_outputs_of_the_step_before(toy: Toy) -> None:
    model = toy.run(size=5).outputs['Second'].artifacts['model']
    seen = {'data': ['data.txt']}
    assert model.metadata['made'] == 'model'
    assert model.metadata['seen'] == (seen if toy.target == 'vertex' else {'struct': seen})
    files = [path for path in toy.folder.rglob('model.txt') if 'steps' not in path.parts]
    assert [json.loads(path.read_text()) for path in files] == [{'size': 5}]


def test_steps_are_cached_until_a_parameter_changes(toy: Toy) -> None:
    assert toy.states() == ALL_EXECUTED
    assert toy.states() == {'First': 'cached', 'Second': 'cached'}
    assert toy.states(size=4) == {'First': 'cached', 'Second': 'executed'}
    assert toy.states(size=3) == {'First': 'cached', 'Second': 'cached'}


def test_steps_run_again_after_a_step_that_is_never_cached(toy: Toy) -> None:
    spec = toys.spec()
    spec['root']['dag']['tasks']['First']['cachingOptions'] = {}
    assert toy.states(spec) == ALL_EXECUTED
    assert toy.states(spec) == ALL_EXECUTED


def test_run_ends_and_later_steps_are_skipped_when_a_step_fails(toy: Toy) -> None:
    played = toy.prepare(with_code('print("about to"); raise ValueError("no such thing")'))
    progress = toys.RecordedProgress()
    with pytest.raises(StepFailedError, match='First failed with exit code 1: ValueError: no') as e:
        played.run(progress, lambda *_: '')
    assert played.current == 'First'
    states = [(result.id, result.state) for result in played.results]
    assert states == [('First', 'failed'), ('Second', 'skipped')]
    assert progress.lines[1:] == ['1/2 First', '1/2 First failed']
    assert (e.value.tail[0], e.value.tail[-1]) == ('about to', 'ValueError: no such thing')
    assert 'no such thing' in toy.workspace.log(played.run_id, 'First').read_text()


def test_failed_step_is_not_cached(toy: Toy, tmp_path: pathlib.Path) -> None:
    ready = tmp_path / 'ready'
    code = f'import os; assert os.path.exists({str(ready)!r}), "not ready"{toys.MAKE}'
    spec = with_code(code, step='second')
    with pytest.raises(StepFailedError, match='AssertionError: not ready'):
        toy.run(spec)
    ready.touch()
    assert toy.states(spec) == {'First': 'cached', 'Second': 'executed'}


def test_step_sees_only_its_inputs_when_the_service_is_kubeflow(on_kubeflow: Toy) -> None:
    code = (
        'import os, pathlib\n'
        "found = pathlib.Path(os.environ['OBJECT_STORE_MOUNTS']).rglob('data.txt')\n"
        f'assert not list(found), "sees the data"\n{toys.MAKE}'
    )
    spec = with_code(code, step='second')
    del spec['root']['dag']['tasks']['Second']['inputs']['artifacts']
    assert on_kubeflow.states(spec) == ALL_EXECUTED


def test_step_fails_when_it_reports_a_local_path_and_the_service_is_kubeflow(
    on_kubeflow: Toy,
) -> None:
    code = toys.MAKE.replace("{'metadata'", "{'uri': '/minio/bucket/x', 'metadata'")
    with pytest.raises(ComponentError, match='local path for URI /minio/bucket/x: unsupported'):
        on_kubeflow.run(with_code(code))


PRE_CACHE_CHECK = """
import json, pathlib, sys
step = json.loads(sys.argv[1])
pathlib.Path(step['outputs']['outputFile']).write_text(json.dumps({
    'parameterValues': {'fingerprint': pathlib.Path(FILE).read_text()},
    'artifacts': {'data': {'artifacts': [{'metadata': {'span': 4}}]}},
}))
"""


def with_pre_cache_check(code: str) -> dict[str, Any]:
    spec = toys.spec()
    hook = {'command': ['python', '-c', code], 'args': ['{{$}}']}
    container = spec['deploymentSpec']['executors']['first']['container']
    container['lifecycle'] = {'preCacheCheck': hook}
    return spec


def test_findings_of_the_pre_cache_check_are_part_of_the_cache_key_on_vertex(
    on_vertex: Toy, tmp_path: pathlib.Path
) -> None:
    data = tmp_path / 'data'
    spec = with_pre_cache_check(PRE_CACHE_CHECK.replace('FILE', repr(str(data))))
    data.write_text('old')
    assert on_vertex.states(spec)['First'] == 'executed'
    assert on_vertex.states(spec)['First'] == 'cached'
    data.write_text('new')
    played = on_vertex.run(spec)
    assert played.results[0].state == 'executed'
    made = played.outputs['First'].artifacts['data']
    assert made.metadata == {'span': 4, 'made': 'data', 'seen': {}, 'number': 1}
    assert json.loads((pathlib.Path(made.uri) / 'data.txt').read_text())['fingerprint'] == 'new'


def test_failing_pre_cache_check_fails_the_step_on_vertex_and_is_ignored_on_kubeflow(
    on_vertex: Toy, on_kubeflow: Toy
) -> None:
    spec = with_pre_cache_check('raise SystemExit(4)')
    with pytest.raises(StepFailedError, match='the driver of First failed with exit code 4'):
        on_vertex.run(spec)
    assert on_kubeflow.states(spec)['First'] == 'executed'


IN_REPORT = "report['parameterValues'][sys.argv[2]] = 'found'"
IN_FILE = "pathlib.Path(step['outputs']['parameters']['words']['outputFile']).write_text('found')"


def with_output_parameter(*args: str, code: str = toys.MAKE) -> dict[str, Any]:
    spec = with_code(code, *args)
    declared = {'words': {'parameterType': 'STRING'}}
    spec['components']['First']['outputDefinitions']['parameters'] = declared
    spec['components']['Second']['inputDefinitions']['parameters'].update(declared)
    spec['root']['dag']['tasks']['Second']['inputs']['parameters']['words'] = {
        'taskOutputParameter': {'producerTask': 'First', 'outputParameterKey': 'words'}
    }
    return spec


@pytest.mark.parametrize('place', [IN_REPORT, IN_FILE])
def test_output_parameter_is_an_input_of_the_next_step_and_cached(toy: Toy, place: str) -> None:
    spec = with_output_parameter('words', code=toys.MAKE.replace(IN_REPORT, place))
    assert toy.run(spec).outputs['First'].parameters == {'words': 'found'}
    cached = toy.run(spec)
    assert [result.state for result in cached.results] == ['cached', 'cached']
    assert cached.outputs['First'].parameters == {'words': 'found'}
    written = [path for path in toy.folder.rglob('model.txt') if 'steps' not in path.parts]
    assert json.loads(written[0].read_text())['words'] == 'found'


def test_step_fails_when_it_does_not_write_its_output_parameter(toy: Toy) -> None:
    with pytest.raises(ComponentError, match="First must write its output parameter 'words'"):
        toy.run(with_output_parameter())


@pytest.mark.parametrize('text', ['{', '[]'])
def test_step_fails_when_its_report_is_no_json_object(toy: Toy, text: str) -> None:
    code = (
        'import json, sys\n'
        f'open(json.loads(sys.argv[1])["outputs"]["outputFile"], "w").write({text!r})'
    )
    with pytest.raises(ComponentError, match='First must write a JSON object as its output file'):
        toy.run(with_code(code))


def test_step_fails_when_its_command_has_an_unknown_placeholder(toy: Toy) -> None:
    spec = with_code(toys.MAKE, '{{$.nothing}}', step='second')
    with pytest.raises(ComponentError, match=r'Second: expected .* only, got \{\{\$\.nothing'):
        toy.run(spec)
