"""Tests of the entry point of steps, with a fake of TFX's entry point."""

from __future__ import annotations

import importlib
import json
import pathlib
import runpy
import sys
from collections.abc import Callable
from typing import IO, Any

import pytest

from components.common import entry_point

Step = dict[str, Any]
MODEL = {'instanceSchema': 'title: tfx.Model\n'}
EXAMPLES = {'instanceSchema': 'title: tfx.Examples\n'}


class FakeTfx:
    """A fake of TFX's modules: stores its arguments, and writes a given output."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Step, list[str]]] = []
        self.output: Callable[[Step], Step] = lambda step: {}
        self.found_file: Step | None = None
        self.code: int | None = None

    def run_module(self, module: str, **_: Any) -> None:
        args = sys.argv[1:]
        step = json.loads(args[args.index('--json_serialized_invocation_args') + 1])
        self.calls.append((module.rpartition('.')[2], step, args))
        path = pathlib.Path(step['outputs']['outputFile'])
        self.found_file = json.loads(path.read_text()) if path.exists() else None
        path.write_text(json.dumps(self.output(step)))
        raise SystemExit(self.code)


class FakeFileio:
    """A fake of TFX's module for files."""

    @staticmethod
    def makedirs(path: str) -> None:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def open(path: str, mode: str) -> IO[Any]:
        return pathlib.Path(path).open(mode)


@pytest.fixture
def tfx(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> FakeTfx:
    fake = FakeTfx()
    monkeypatch.setattr(runpy, 'run_module', fake.run_module)
    monkeypatch.setattr(importlib, 'import_module', lambda module: FakeFileio)
    monkeypatch.setenv(entry_point.MOUNTS_VARIABLE, str(tmp_path / 'mounts'))
    return fake


def run_step(step: Step, inputs: Step, outputs: Step, *more: str) -> None:
    entry_point.main(
        [
            *('--executor_class_path', 'some.Executor'),
            *('--json_serialized_invocation_args', json.dumps(step)),
            *('--json_serialized_inputs_spec_args', json.dumps(inputs)),
            *('--json_serialized_outputs_spec_args', json.dumps(outputs)),
            *more,
        ]
    )


def evaluator(tmp_path: pathlib.Path, root: str, **artifact: Any) -> Step:
    """Return an ExecutorInput with a model as input and as output."""
    return {
        'inputs': {
            'artifacts': {'model': {'artifacts': [{'uri': f'{root}/1/model', **artifact}]}},
            'parameterValues': {'folder': f'{root}/not/an/artifact'},
        },
        'outputs': {
            'artifacts': {'baseline': {'artifacts': [{'uri': f'{root}/2/baseline'}]}},
            'outputFile': str(tmp_path / 'out.json'),
        },
    }


INPUTS = {'artifacts': {'model': {'artifactType': MODEL}}, 'parameters': {'folder': {}}}
OUTPUTS = {'artifacts': {'baseline': {'artifactType': MODEL}}}


def test_tfx_gets_the_other_arguments_when_a_step_runs(
    tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    run_step(evaluator(tmp_path, 'gs://b'), INPUTS, OUTPUTS, '--runner=DirectRunner')
    ((module, _, args),) = tfx.calls
    assert module == 'kubeflow_v2_run_executor'
    assert args[-3:] == ['--executor_class_path', 'some.Executor', '--runner=DirectRunner']
    assert not any('outputs_spec' in arg for arg in args)
    assert json.loads(args[args.index('--json_serialized_inputs_spec_args') + 1]) == INPUTS


@pytest.mark.parametrize('given', [{}, {'type': {}}, {'type': {'schemaTitle': 'system.Artifact'}}])
def test_artifact_types_are_those_of_the_interface_when_the_step_has_others(
    given: Step, tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    run_step(evaluator(tmp_path, 'gs://b', **given), INPUTS, OUTPUTS)
    ((_, step, _),) = tfx.calls
    assert step['inputs']['artifacts']['model']['artifacts'][0]['type'] == MODEL
    assert step['outputs']['artifacts']['baseline']['artifacts'][0]['type'] == MODEL


def test_inputs_and_outputs_are_dropped_when_the_interface_does_not_name_them(
    tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    step = evaluator(tmp_path, 'gs://b')
    expected = json.loads(json.dumps(step))
    logs = {'artifacts': [{'type': {'schemaTitle': 'system.Artifact'}, 'uri': 'gs://b/2/logs'}]}
    for side in ('inputs', 'outputs'):
        step[side]['artifacts']['executor-logs'] = logs
    step['inputs']['parameterValues']['added'] = 1
    step['outputs']['parameters'] = {'added': {'outputFile': '/tmp/added'}}
    run_step(step, INPUTS, OUTPUTS)
    ((_, given, _),) = tfx.calls
    assert set(given['inputs']['artifacts']) == {'model'}
    assert set(given['outputs']['artifacts']) == {'baseline'}
    assert given['inputs']['parameterValues'] == expected['inputs']['parameterValues']
    assert given['outputs']['parameters'] == {}


def test_properties_are_a_file_when_a_step_pushes(tfx: FakeTfx, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / 'pushed_model'
    pushed = {'uri': str(folder), 'metadata': {'pushed': 1, 'pushed_version': '7'}}
    tfx.output = lambda step: {'artifacts': {'pushed_model': {'artifacts': [pushed]}}}
    run_step(evaluator(tmp_path, 'gs://b'), INPUTS, OUTPUTS)
    assert json.loads((folder / 'properties.json').read_text()) == pushed['metadata']


@pytest.mark.parametrize(
    ('name', 'expected'), [('42', '42'), ('', 'minio://b/1/model')], ids=['kept', 'the_address']
)
def test_artifact_is_named_when_the_backend_passes_a_name_or_none(
    name: str, expected: str, tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    run_step(evaluator(tmp_path, 'minio://b', name=name), INPUTS, OUTPUTS)
    ((_, step, _),) = tfx.calls
    assert step['inputs']['artifacts']['model']['artifacts'][0]['name'] == expected


@pytest.mark.parametrize(
    ('root', 'local'),
    [
        ('minio://bucket/root', '/minio/bucket/root'),
        ('s3://bucket/root', '/s3/bucket/root'),
        ('gs://bucket/root', '/gcs/bucket/root'),
    ],
)
def test_addresses_are_translated_both_ways_when_the_launcher_copies_them(
    root: str, local: str, tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    def output(step: Step) -> Step:
        model = step['inputs']['artifacts']['model']['artifacts'][0]
        (baseline,) = step['outputs']['artifacts']['baseline']['artifacts']
        properties = {'model_uri': model['uri'], 'model_name': model['name'], 'blessed': 1.0}
        return {'artifacts': {'baseline': {'artifacts': [{**baseline, 'metadata': properties}]}}}

    tfx.output = output
    run_step(evaluator(tmp_path, root), INPUTS, OUTPUTS)
    ((_, step, _),) = tfx.calls
    (given,) = step['inputs']['artifacts']['model']['artifacts']
    assert given['uri'] == f'{tmp_path}/mounts{local}/1/model'
    assert step['inputs']['parameterValues'] == {'folder': f'{root}/not/an/artifact'}
    written = json.loads((tmp_path / 'out.json').read_text())
    (baseline,) = written['artifacts']['baseline']['artifacts']
    assert baseline['uri'] == f'{root}/2/baseline'
    assert baseline['metadata'] == {
        'model_uri': f'{root}/1/model',
        'model_name': f'{root}/1/model',
        'blessed': 1.0,
    }


@pytest.mark.parametrize(
    ('root', 'folder'), [('gs://b', 'gcs/b'), ('minio://b', 'minio/b'), ('s3://b', 's3/b')]
)
def test_each_output_is_a_folder_where_the_launcher_looks_when_tfx_writes_none(
    root: str, folder: str, tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    run_step(evaluator(tmp_path, root), INPUTS, OUTPUTS)
    assert (tmp_path / 'mounts' / folder / '2' / 'baseline').is_dir()


def test_step_fails_when_tfx_fails(tfx: FakeTfx, tmp_path: pathlib.Path) -> None:
    tfx.code = 3
    with pytest.raises(SystemExit, match='3'):
        run_step(evaluator(tmp_path, 'gs://b'), INPUTS, OUTPUTS)


EXAMPLE_GEN = {'parameters': {'input_base': {}, 'range_config': {}}}
RESOLVER_OUTPUTS = {'parameters': {'resolved_input': {}}}
FOUND = {
    'parameterValues': {'input_fingerprint': 'split:all,num_files:1', 'span': 0},
    'artifacts': {'examples': {'artifacts': [{'metadata': {'span': 0.0}}]}},
}


def example_gen(tmp_path: pathlib.Path, **sides: Step) -> Step:
    return {
        'inputs': {'parameterValues': {'input_base': 'gs://b/d'}, **sides.get('inputs', {})},
        'outputs': {'outputFile': str(tmp_path / 'out.json'), **sides.get('outputs', {})},
    }


def test_result_of_the_driver_is_a_parameter_when_the_input_is_resolved(
    tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    def output(step: Step) -> Step:
        (examples,) = step['outputs']['artifacts']['examples']['artifacts']
        assert examples['type'] == {'schemaTitle': 'tfx.Examples'}
        made = {'uri': 'differs/in/each/run', 'name': '17', 'metadata': {'span': 0.0}}
        return {**FOUND, 'artifacts': {'examples': {'artifacts': [made]}}}

    tfx.output = output
    parameter_file = tmp_path / 'parameters' / 'resolved_input'
    step = example_gen(
        tmp_path,
        outputs={'parameters': {'resolved_input': {'outputFile': str(parameter_file)}}},
    )
    run_step(step, EXAMPLE_GEN, RESOLVER_OUTPUTS, '--resolve_input')
    assert tfx.calls[0][0] == 'driver'
    assert json.loads(parameter_file.read_text()) == FOUND
    reported = json.loads((tmp_path / 'out.json').read_text())
    assert reported == {'parameterValues': {'resolved_input': parameter_file.read_text()}}


@pytest.mark.parametrize(
    ('parameters', 'started'), [({}, 'driver'), ({'range_config': '{}'}, 'span_hook')]
)
def test_span_hook_runs_when_the_data_path_has_spans(
    parameters: Step, started: str, tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    step = example_gen(tmp_path, inputs={'parameterValues': parameters})
    run_step(step, EXAMPLE_GEN, RESOLVER_OUTPUTS, '--resolve_input')
    assert [module for module, _, _ in tfx.calls] == [started]


def test_example_gen_gets_the_result_of_its_driver_when_it_runs(
    tfx: FakeTfx, tmp_path: pathlib.Path
) -> None:
    step = example_gen(
        tmp_path,
        inputs={'parameterValues': {'input_base': 'gs://b/d', 'resolved_input': json.dumps(FOUND)}},
        outputs={'artifacts': {'examples': {'artifacts': [{'uri': 'gs://b/1/examples'}]}}},
    )
    run_step(step, EXAMPLE_GEN, {'artifacts': {'examples': {'artifactType': EXAMPLES}}})
    ((_, given, _),) = tfx.calls
    # TFX's entry point reads the driver's parameters from the output file.
    assert tfx.found_file == {'parameterValues': FOUND['parameterValues']}
    assert given['inputs']['parameterValues'] == {'input_base': 'gs://b/d'}
    (examples,) = given['outputs']['artifacts']['examples']['artifacts']
    assert examples['metadata'] == {'span': 0.0}
