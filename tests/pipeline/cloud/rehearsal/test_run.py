"""Toy pipelines run from step to step, in both dialects."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest

from components.common.errors import ComponentError, ConfigError, StepFailedError
from pipeline.cloud.rehearsal.engine import ProcessEngine
from pipeline.cloud.rehearsal.run import Rehearsal
from pipeline.cloud.rehearsal.store import Produced
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import TARGETS, Target
from pipeline.results.outcome import NodeResult
from tests.pipeline.cloud.rehearsal import toys


@dataclasses.dataclass
class Heard:
    """Hears and notes all."""

    known: list[str] = dataclasses.field(default_factory=list)
    lines: list[str] = dataclasses.field(default_factory=list)

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        self.known = list(node_ids)

    def node_started(self, index: int, total: int, node_id: str) -> None:
        self.lines.append(f'{index}/{total} {node_id}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        self.lines.append(f'{index}/{total} {result.id} {result.state} {result.note}'.strip())

    def note(self, step: str, produced: Produced) -> str:
        return ', '.join(produced.artifacts)


@dataclasses.dataclass(frozen=True)
class Toy:
    """Rehearses in one folder, again and again."""

    folder: pathlib.Path
    target: Target

    @property
    def workspace(self) -> Workspace:
        return Workspace(root=self.folder, target=self.target)

    def rehearsal(self, spec: dict[str, Any] | None = None, **values: Any) -> Rehearsal:
        return Rehearsal(
            pipeline=toys.compiled(self.target, spec, self.workspace.artifacts),
            values=values,
            engine=ProcessEngine(),
            workspace=self.workspace,
            run_id=self.workspace.new_run(),
        )

    def states(self, spec: dict[str, Any] | None = None, **values: Any) -> dict[str, str]:
        rehearsal = self.rehearsal(spec, **values)
        rehearsal.run(Heard(), Heard())
        return {result.id: result.state for result in rehearsal.results}


@pytest.fixture(params=TARGETS)
def toy(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, request.param)


@pytest.fixture
def on_vertex(tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, 'vertex')


@pytest.fixture
def on_kubeflow(tmp_path: pathlib.Path) -> Toy:
    return Toy(tmp_path, 'kubeflow')


def test_steps_run_in_order_and_each_is_told(toy: Toy) -> None:
    heard, rehearsal = Heard(), toy.rehearsal()
    rehearsal.run(heard, heard)
    assert heard.known == ['First', 'Second']
    assert heard.lines == [
        '1/2 First',
        '1/2 First executed data',
        '2/2 Second',
        '2/2 Second executed model',
    ]
    assert all(result.seconds > 0 for result in rehearsal.results)


def test_a_step_finds_what_the_one_before_made(toy: Toy) -> None:
    rehearsal = toy.rehearsal(size=5)
    rehearsal.run(Heard(), Heard())
    model = rehearsal.produced['Second'].artifacts['model']
    seen = {'data': ['data.txt']}
    assert model.metadata['made'] == 'model'
    assert model.metadata['seen'] == (seen if toy.target == 'vertex' else {'struct': seen})
    files = [p for p in toy.folder.rglob('model.txt') if 'steps' not in p.parts]
    assert [json.loads(path.read_text()) for path in files] == [{'size': 5}]


def test_all_is_cached_when_nothing_changed(toy: Toy) -> None:
    assert toy.states() == {'First': 'executed', 'Second': 'executed'}
    assert toy.states() == {'First': 'cached', 'Second': 'cached'}


def test_a_step_runs_again_when_its_parameter_changed(toy: Toy) -> None:
    toy.states()
    assert toy.states(size=4) == {'First': 'cached', 'Second': 'executed'}
    assert toy.states(size=3) == {'First': 'cached', 'Second': 'cached'}


def test_a_step_runs_again_and_those_after_it_when_it_is_not_to_be_cached(toy: Toy) -> None:
    spec = toys.spec()
    spec['root']['dag']['tasks']['First']['cachingOptions'] = {}
    assert toy.states(spec) == {'First': 'executed', 'Second': 'executed'}
    assert toy.states(spec) == {'First': 'executed', 'Second': 'executed'}


def test_a_failing_step_ends_the_run_and_later_ones_are_skipped(toy: Toy) -> None:
    spec = toys.spec()
    code = 'print("about to"); raise ValueError("no such thing")'
    spec['deploymentSpec']['executors']['first'] = toys.container(code)
    heard, rehearsal = Heard(), toy.rehearsal(spec)
    with pytest.raises(StepFailedError, match='First failed with exit code 1: ValueError: no') as e:
        rehearsal.run(heard, heard)
    assert rehearsal.current == 'First'
    assert [(r.id, r.state) for r in rehearsal.results] == [
        ('First', 'failed'),
        ('Second', 'skipped'),
    ]
    assert heard.lines == ['1/2 First', '1/2 First failed']
    assert e.value.tail[0] == 'about to'
    assert e.value.tail[-1] == 'ValueError: no such thing'
    log = toy.workspace.log(rehearsal.run_id, 'First')
    assert 'ValueError: no such thing' in log.read_text()


def test_a_step_that_failed_is_not_in_the_cache(toy: Toy, tmp_path: pathlib.Path) -> None:
    spec = toys.spec()
    ready = tmp_path / 'ready'
    code = f'import os; assert os.path.exists({str(ready)!r}), "not ready"{toys.MAKE}'
    spec['deploymentSpec']['executors']['second'] = toys.container(code)
    with pytest.raises(StepFailedError, match='AssertionError: not ready'):
        toy.states(spec)
    ready.touch()
    assert toy.states(spec) == {'First': 'cached', 'Second': 'executed'}


def test_nothing_runs_when_a_parameter_is_refused(toy: Toy) -> None:
    heard = Heard()
    with pytest.raises(ConfigError, match='no parameter is called colour'):
        toy.rehearsal(colour='red').run(heard, heard)
    assert heard.lines == []


def test_nothing_runs_on_kubeflow_when_there_is_a_resolver(on_kubeflow: Toy) -> None:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['second'] = {'resolver': {'outputArtifactQueries': {}}}
    heard = Heard()
    with pytest.raises(ConfigError, match='Second is run by a resolver'):
        on_kubeflow.rehearsal(spec).run(heard, heard)
    assert heard.lines == []


def test_a_step_sees_nothing_on_kubeflow_but_its_inputs(on_kubeflow: Toy) -> None:
    spec = toys.spec()
    del spec['root']['dag']['tasks']['Second']['inputs']['artifacts']
    code = (
        'import os, pathlib\n'
        "found = pathlib.Path(os.environ['OBJECT_STORE_MOUNTS']).rglob('data.txt')\n"
        f'assert not list(found), "sees the data"\n{toys.MAKE}'
    )
    spec['deploymentSpec']['executors']['second'] = toys.container(code)
    assert on_kubeflow.states(spec) == {'First': 'executed', 'Second': 'executed'}


def test_a_step_fails_on_kubeflow_when_it_reports_a_path_of_its_own(on_kubeflow: Toy) -> None:
    spec = toys.spec()
    code = toys.MAKE.replace("{'metadata'", "{'uri': '/minio/bucket/x', 'metadata'")
    spec['deploymentSpec']['executors']['first'] = toys.container(code)
    with pytest.raises(ComponentError, match='local path for URI /minio/bucket/x: unsupported'):
        on_kubeflow.states(spec)


def _with_driver(code: str) -> dict[str, Any]:
    spec = toys.spec()
    container = spec['deploymentSpec']['executors']['first']['container']
    hook = {'command': ['python', '-c', code], 'args': ['{{$}}']}
    container['lifecycle'] = {'preCacheCheck': hook}
    return spec


DRIVER = """
import json, pathlib, sys
step = json.loads(sys.argv[1])
pathlib.Path(step['outputs']['outputFile']).write_text(json.dumps({
    'parameterValues': {'fingerprint': pathlib.Path(FILE).read_text()},
    'artifacts': {'data': {'artifacts': [{'metadata': {'span': 4}}]}},
}))
"""


def test_the_driver_on_vertex_keys_the_cache_with_what_it_finds(
    on_vertex: Toy, tmp_path: pathlib.Path
) -> None:
    data = tmp_path / 'data'
    spec = _with_driver(DRIVER.replace('FILE', repr(str(data))))
    data.write_text('old')
    assert on_vertex.states(spec)['First'] == 'executed'
    assert on_vertex.states(spec)['First'] == 'cached'
    data.write_text('new')
    rehearsal = on_vertex.rehearsal(spec)
    rehearsal.run(Heard(), Heard())
    assert rehearsal.results[0].state == 'executed'
    made = rehearsal.produced['First'].artifacts['data']
    assert made.metadata == {'span': 4, 'made': 'data', 'seen': {}, 'number': 1}
    assert json.loads((pathlib.Path(made.uri) / 'data.txt').read_text())['fingerprint'] == 'new'


def test_the_step_fails_on_vertex_when_its_driver_does(on_vertex: Toy) -> None:
    with pytest.raises(StepFailedError, match='the driver of First failed with exit code 4'):
        on_vertex.states(_with_driver('raise SystemExit(4)'))


def test_the_driver_is_ignored_on_kubeflow(on_kubeflow: Toy) -> None:
    assert on_kubeflow.states(_with_driver('raise SystemExit(4)'))['First'] == 'executed'


def _with_output_parameter(target: Target) -> dict[str, Any]:
    spec = toys.spec()
    spec['components']['First']['outputDefinitions']['parameters'] = {
        'words': {'parameterType': 'STRING'}
    }
    spec['deploymentSpec']['executors']['first'] = toys.container(toys.MAKE, 'words')
    spec['components']['Second']['inputDefinitions']['parameters']['words'] = {
        'parameterType': 'STRING'
    }
    spec['root']['dag']['tasks']['Second']['inputs']['parameters']['words'] = {
        'taskOutputParameter': {'producerTask': 'First', 'outputParameterKey': 'words'}
    }
    return spec


def test_an_output_parameter_goes_into_the_next_step(toy: Toy) -> None:
    spec = _with_output_parameter(toy.target)
    assert toy.states(spec) == {'First': 'executed', 'Second': 'executed'}
    rehearsal = toy.rehearsal(spec)
    rehearsal.run(Heard(), Heard())
    assert [result.state for result in rehearsal.results] == ['cached', 'cached']
    assert rehearsal.produced['First'].parameters == {'words': 'found'}


def test_an_output_parameter_may_be_in_a_file_of_its_own(toy: Toy) -> None:
    spec = _with_output_parameter(toy.target)
    code = toys.MAKE.replace(
        "report['parameterValues'][sys.argv[2]] = 'found'",
        "pathlib.Path(step['outputs']['parameters'][sys.argv[2]]['outputFile']).write_text('f')",
    )
    spec['deploymentSpec']['executors']['first'] = toys.container(code, 'words')
    rehearsal = toy.rehearsal(spec)
    rehearsal.run(Heard(), Heard())
    assert rehearsal.produced['First'].parameters == {'words': 'f'}


def test_a_step_fails_when_it_does_not_put_out_its_parameter(toy: Toy) -> None:
    spec = _with_output_parameter(toy.target)
    spec['deploymentSpec']['executors']['first'] = toys.container(toys.MAKE)
    with pytest.raises(ComponentError, match="First did not put out its parameter 'words'"):
        toy.states(spec)


@pytest.mark.parametrize(('text', 'words'), [('{', 'that is no JSON'), ('[]', 'with a list')])
def test_a_step_fails_when_its_report_cannot_be_read(toy: Toy, text: str, words: str) -> None:
    spec = toys.spec()
    code = (
        'import json, sys\n'
        f'open(json.loads(sys.argv[1])["outputs"]["outputFile"], "w").write({text!r})'
    )
    spec['deploymentSpec']['executors']['first'] = toys.container(code)
    with pytest.raises(ComponentError, match=f'First wrote an output file {words}'):
        toy.states(spec)


def test_an_unknown_placeholder_fails_the_step_before_it_runs(toy: Toy) -> None:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['second'] = toys.container(toys.MAKE, '{{$.nothing}}')
    with pytest.raises(ComponentError, match=r'Second: nothing is known for .*\{\{\$\.nothing'):
        toy.states(spec)
