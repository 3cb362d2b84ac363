"""The compiled specifications, compared with the golden files and the local pipeline."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from components.common.errors import ConfigError
from components.common.overrides import GATE_OVERRIDES
from components.example_gen.sources import discover
from pipeline.beam.arguments import beam_args
from pipeline.cloud.compile import compile_for_service, compile_pipeline
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.kubeflow_spec import RESOLVER
from pipeline.cloud.targets import TARGETS, Target
from pipeline.create import create_pipeline
from pipeline.settings.cloud import CONTAINER_NODES
from tests.conftest import REPO
from tests.pipeline.cloud import golden

Compiled = dict[Target, CompiledPipeline]


@pytest.fixture(scope='module')
def compiled() -> Compiled:
    return {target: compile_pipeline(golden.config(), target) for target in TARGETS}


@pytest.fixture(params=TARGETS)
def one(request: pytest.FixtureRequest, compiled: Compiled) -> CompiledPipeline:
    """The compiled pipeline of each target."""
    return compiled[request.param]


def tasks(one: CompiledPipeline) -> dict[str, Any]:
    found: dict[str, Any] = one.spec['root']['dag']['tasks']
    return found


def container(one: CompiledPipeline, node: str) -> dict[str, Any]:
    label = one.spec['components'][node]['executorLabel']
    found: dict[str, Any] = one.spec['deploymentSpec']['executors'][label]['container']
    return found


def constants(one: CompiledPipeline, node: str) -> dict[str, Any]:
    """Return the compiled execution parameters of a node."""
    return {
        name: source['runtimeValue']['constant']
        for name, source in tasks(one)[node]['inputs']['parameters'].items()
        if 'runtimeValue' in source
    }


def test_specification_equals_the_golden_file_when_compiled(one: CompiledPipeline) -> None:
    expected = golden.FILES[one.target].read_text(encoding='utf-8')
    assert golden.golden_text(one) == expected, golden.__doc__


def test_feature_columns_are_parameters_when_set(compiled: Compiled) -> None:
    config = golden.config('data.columns.features=[product:string, stars:int]')
    found = [compiled['kubeflow'], compile_pipeline(config, 'kubeflow')]
    before, after = (constants(each, 'SchemaGen')['schema_text'] for each in found)
    added = ''.join(
        f'feature {{\n  name: "{name}"\n  type: {kind}\n}}\n'
        for name, kind in (('product', 'BYTES'), ('stars', 'INT'))
    )
    assert after == before + added
    before, after = (constants(each, 'ExampleGen')['custom_config'] for each in found)
    assert 'features' not in before
    assert 'product:string' in after


def test_specification_is_strictly_a_pipeline_spec_when_kfp_parses_it(
    one: CompiledPipeline,
) -> None:
    found = json.loads(one.text()) if one.target == 'vertex' else yaml.safe_load(one.text())
    spec = found['pipelineSpec'] if one.target == 'vertex' else found
    assert spec == one.spec
    parsed = json_format.ParseDict(
        spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False
    )
    assert parsed.schema_version == '2.1.0'
    json_format.ParseDict(
        spec['deploymentSpec'],
        pipeline_spec_pb2.PipelineDeploymentConfig(),
        ignore_unknown_fields=False,
    )
    if one.target == 'vertex':
        job = json_format.ParseDict(
            found, pipeline_spec_pb2.PipelineJob(), ignore_unknown_fields=False
        )
        assert job.runtime_config.gcs_output_directory == one.pipeline_root
    else:
        assert parsed.default_pipeline_root == one.pipeline_root


def test_bytes_are_the_same_when_compiled_elsewhere_by_the_command(
    compiled: Compiled, tmp_path: pathlib.Path
) -> None:
    options = [part for option in golden.OPTIONS.items() for part in option]
    commands = [['compile', '--target', target, '--output', target, *options] for target in TARGETS]
    # In one process, because each imports TFX.
    code = 'import sys, pipeline_runner as runner; sys.exit(any(map(runner._exit_code, {})))'
    done = subprocess.run(
        [sys.executable, '-c', code.format(commands)],
        cwd=tmp_path,
        env={
            **os.environ,
            'PYTHONPATH': str(REPO),
            'PYTHONHASHSEED': '1',
            'TZ': 'Asia/Tokyo',
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    for target in TARGETS:
        assert (tmp_path / target).read_bytes() == compiled[target].text().encode()


def local_nodes() -> dict[str, Any]:
    """Return the execution parameters of the local pipeline by node."""
    config = golden.config()
    source = discover(config.data.path, config.data.columns)
    nodes = create_pipeline(config, source).components
    return {node.id: dict(node.exec_properties) for node in nodes}


def test_nodes_are_those_of_a_local_run_when_compiled(compiled: Compiled) -> None:
    nodes = local_nodes()
    assert set(tasks(compiled['kubeflow'])) == {*nodes, RESOLVER}
    assert set(tasks(compiled['vertex'])) == set(nodes)


def test_config_and_fingerprint_are_those_of_a_local_run_when_compiled(
    one: CompiledPipeline,
) -> None:
    # Only a local run has it, to keep the Pusher out of TFX's cache.
    places = {'input_base', 'push_destination', 'serving_dir', 'run_id'}
    overridden = {parameter.name for parameter in one.parameters.values()} - {'data_folder'}
    fingerprints = 0
    for node, properties in local_nodes().items():
        local = {k: v for k, v in properties.items() if v is not None and k not in places}
        found = {k: v for k, v in constants(one, node).items() if k not in places}
        assert found == local, node
        own = set(tasks(one)[node]['inputs']['parameters']) - set(found) - places
        assert own <= overridden | {'resolved_input'}
        fingerprints += len(found['fingerprint']) == 64
    assert fingerprints == 9


def references(one: CompiledPipeline) -> Iterator[tuple[str, str]]:
    for node, task in tasks(one).items():
        for source in task.get('inputs', {}).get('parameters', {}).values():
            if 'componentInputParameter' in source:
                yield node, source['componentInputParameter']


def test_each_parameter_reaches_the_one_node_that_reads_it_when_compiled(
    one: CompiledPipeline,
) -> None:
    found = set(references(one))
    if one.target == 'kubeflow':
        found.remove((RESOLVER, 'data_folder'))
    # So a new training parameter leaves all nodes before the Trainer cached.
    assert found == {
        ('ExampleGen', 'data_folder'),
        *(('Trainer', name) for name in ('epochs', 'learning_rate', 'seed')),
        *(('Evaluator', name) for name in GATE_OVERRIDES),
    }
    definitions = one.spec['root']['inputDefinitions']['parameters']
    assert {name: definition['defaultValue'] for name, definition in definitions.items()} == {
        'data_folder': 'gs://bucket/data',
        'epochs': 10,
        'learning_rate': 0.001,
        'seed': 1,
        'min_accuracy': 0.8,
        'max_accuracy_drop': 0.01,
        'min_auc': 0.7,
        'min_baseline_auc': 0.5,
        'max_test_overlap_percent': 5.0,
    }
    assert one.parameter_values([]) == {
        name: definition['defaultValue'] for name, definition in definitions.items()
    }


@pytest.mark.parametrize(
    ('architecture', 'expected'),
    [
        ('ngram', {'svm_cost', 'seed'}),
        ('tutorial', {'epochs', 'learning_rate', 'seed'}),
    ],
)
def test_parameters_are_those_of_the_architecture_when_compiled(
    architecture: str, expected: set[str]
) -> None:
    config = golden.config(f'trainer.model.architecture={architecture}')
    pipeline = compile_pipeline(config, 'vertex')
    assert {name for node, name in references(pipeline) if node == 'Trainer'} == expected
    assert expected <= set(pipeline.parameters)


def test_baseline_and_pusher_are_never_cached_when_compiled(one: CompiledPipeline) -> None:
    cached = {
        name for name, task in tasks(one).items() if task['cachingOptions'].get('enableCache')
    }
    assert set(tasks(one)) - cached - {RESOLVER} == {'ServedBaseline', 'Pusher'}
    assert RESOLVER not in cached
    # TFX's own runner has one setting for all nodes.
    source = discover(golden.config().data.path, golden.config().data.columns)
    assert not create_pipeline(golden.config(), source, target=one.target).enable_cache


@pytest.mark.parametrize(
    ('again', 'cached'),
    [
        ((), None),
        (
            ('Trainer',),
            {'ExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'Transform'},
        ),
        (('ExampleValidator', 'Evaluator'), {'ExampleGen', 'StatisticsGen', 'SchemaGen'}),
        (('ExampleGen',), {'SchemaGen'}),
        (CONTAINER_NODES, set()),
    ],
)
def test_node_and_all_after_it_are_not_cached_when_executed_again(
    again: tuple[str, ...], cached: set[str] | None, one: CompiledPipeline
) -> None:
    def cached_tasks(pipeline: CompiledPipeline) -> set[str]:
        return {name for name, task in tasks(pipeline).items() if task['cachingOptions']}

    before = cached_tasks(one)
    assert cached_tasks(one.executing(again)) == (before if cached is None else cached)
    assert cached_tasks(one) == before


def test_error_lists_the_nodes_when_the_one_to_execute_is_unknown(one: CompiledPipeline) -> None:
    with pytest.raises(ConfigError, match="^--again: there is no node 'trainer'$") as error:
        one.executing(['trainer'])
    assert error.value.hint.startswith('the nodes are ExampleGen, ')


def test_containers_have_resources_when_set(one: CompiledPipeline) -> None:
    accelerator = {'vertex': 'NVIDIA_TESLA_T4', 'kubeflow': 'nvidia.com/gpu'}[one.target]
    pipeline = compile_pipeline(
        golden.config(
            'cloud.resources.ExampleGen.memory_gb=4.5',
            f'cloud.resources.Trainer={{"cpu": 8, "accelerator": "{accelerator}"}}',
        ),
        one.target,
    )
    assert container(pipeline, 'ExampleGen')['resources'] == {'memoryLimit': 4.5}
    assert container(pipeline, 'Trainer')['resources'] == {
        'cpuLimit': 8.0,
        'accelerator': {'type': accelerator, 'count': '1'},
    }
    assert 'resources' not in container(pipeline, 'Evaluator')
    json_format.ParseDict(
        pipeline.spec['deploymentSpec'], pipeline_spec_pb2.PipelineDeploymentConfig()
    )


def test_beam_nodes_get_the_options_when_a_runner_is_chosen() -> None:
    config = golden.config('beam.runner=DataflowRunner', 'beam.args=["--max_num_workers=9"]')
    pipeline = compile_pipeline(config, 'vertex')
    expected = list(beam_args(config.beam))
    assert '--runner=DataflowRunner' in expected
    assert '--max_num_workers=9' in expected
    for node in ('ExampleGen', 'StatisticsGen', 'Transform', 'Evaluator'):
        assert container(pipeline, node)['args'][-len(expected) :] == expected


def test_specification_has_no_path_of_this_machine_when_compiled(one: CompiledPipeline) -> None:
    assert str(REPO) not in one.text()


@pytest.mark.parametrize(
    ('change', 'message', 'hint'),
    [
        ('cloud.image=null', 'needs a container image', '--image'),
        ('serving_dir=null', 'needs a serving folder', '--serving-dir'),
        ('cloud.image=tensorflow/tfx:1.16.0', 'does not have the code', 'that the message names'),
    ],
)
def test_error_names_the_option_when_a_setting_is_missing(
    change: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compile_pipeline(golden.config(change), 'kubeflow')
    assert hint in caught.value.hint


def test_pipeline_root_is_required_for_vertex_only() -> None:
    config = golden.config('cloud.pipeline_root=null')
    with pytest.raises(ConfigError, match='vertex needs a pipeline root') as caught:
        compile_pipeline(config, 'vertex')
    assert '--pipeline-root' in caught.value.hint
    # The cluster's own default applies if the specification has none.
    assert 'defaultPipelineRoot' not in compile_pipeline(config, 'kubeflow').spec


@pytest.mark.parametrize('place', ['gs://bucket/reviews', '/mnt/reviews'])
@pytest.mark.parametrize('target', TARGETS)
def test_specification_has_the_span_pattern_when_compiled(target: Target, place: str) -> None:
    pattern = 'span-{SPAN}/v-{VERSION:2}/*.csv'
    config = golden.config(f'data.path={place}/{pattern}', 'data.spans=7')
    one = compile_pipeline(config, target)
    reader = RESOLVER if target == 'kubeflow' else 'ExampleGen'
    (split,) = json.loads(constants(one, reader)['input_config'])['splits']
    assert split['pattern'] == pattern
    assert json.loads(constants(one, reader)['range_config']) == {'rolling_range': {'num_spans': 7}}
    assert one.parameters['data_folder'].default == place
    if target == 'vertex':
        hook = container(one, 'ExampleGen')['lifecycle']['preCacheCheck']
        stock = container(compile_pipeline(golden.config(), target), 'ExampleGen')
        assert hook['command'] == ['python', '-m', 'components.example_gen.span_hook']
        # The rest is unchanged.
        assert hook['args'][:2] == stock['lifecycle']['preCacheCheck']['args'][:2]
        assert container(one, 'ExampleGen')['command'] == stock['command']


@pytest.mark.parametrize(
    ('target', 'change'),
    [
        ('vertex', 'data.path=/data/reviews.csv'),
        ('vertex', 'data.path=reviews.csv'),
        ('vertex', 'cloud.pipeline_root=minio://bucket/root'),
        ('vertex', 'serving_dir=/mnt/serving'),
        ('kubeflow', 'data.path=reviews.csv'),
        ('kubeflow', 'data.path=minio://bucket/reviews.csv'),
        ('kubeflow', 'cloud.pipeline_root=/mnt/root'),
        ('kubeflow', 'serving_dir=runs/serving'),
    ],
)
def test_path_is_refused_when_the_service_cannot_reach_it(target: Target, change: str) -> None:
    path = change.partition('=')[2]
    with pytest.raises(ConfigError, match=f"^--.*: expected gs://.*, got '{path}'") as caught:
        compile_for_service(golden.config(change), target)
    assert f'{target} cannot reach' in caught.value.hint


@pytest.mark.parametrize(
    ('target', 'changes'),
    [
        ('vertex', ()),
        ('kubeflow', ('cloud.pipeline_root=minio://mlpipeline/v2',)),
        ('kubeflow', ('data.path=/mnt/reviews.csv', 'serving_dir=/mnt/serving')),
    ],
)
def test_path_is_accepted_when_the_service_can_reach_it(
    target: Target, changes: tuple[str, ...]
) -> None:
    assert compile_for_service(golden.config(*changes), target).target == target
