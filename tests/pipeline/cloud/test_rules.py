"""Each rule, with the golden specification changed in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common.errors import ConfigError
from pipeline.cloud.kubeflow_spec import RESOLVER
from pipeline.cloud.rules import broken_rules, require_valid
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud import golden

Spec = dict[str, Any]


def golden_spec(target: Target) -> Spec:
    found: Spec = yaml.safe_load(golden.FILES[target].read_text(encoding='utf-8'))
    return found['pipelineSpec'] if target == 'vertex' else found


def task(spec: Spec, name: str) -> Spec:
    found: Spec = spec['root']['dag']['tasks'][name]
    return found


def executor(spec: Spec, name: str) -> Spec:
    found: Spec = spec['deploymentSpec']['executors'][f'{name}_executor']
    return found


def container(spec: Spec, name: str) -> Spec:
    found: Spec = executor(spec, name)['container']
    return found


def constant(spec: Spec, name: str, key: str, value: str) -> None:
    task(spec, name)['inputs']['parameters'][key] = {'runtimeValue': {'constant': value}}


@pytest.mark.parametrize('target', TARGETS)
def test_no_rule_is_broken_when_the_specification_is_golden(target: Target) -> None:
    assert broken_rules(golden_spec(target), target) == []


def rename_task(spec: Spec) -> None:
    spec['root']['dag']['tasks']['Statistics_Gen'] = spec['root']['dag']['tasks'].pop(
        'StatisticsGen'
    )


BROKEN_ON_BOTH: dict[str, tuple[Callable[[Spec], Any], str]] = {
    'schema_2_0': (
        lambda s: s.update(schemaVersion='2.0.0'),
        'the schema version is 2.0.0, expected 2.1.0',
    ),
    'pipeline_name': (
        lambda s: s['pipelineInfo'].update(name='Sentiment_1'),
        "the pipeline name 'Sentiment_1' has characters other than a-z, 0-9 and -",
    ),
    'task_name': (rename_task, "the task name 'Statistics_Gen' has characters other than letters"),
    'component_name': (
        lambda s: s['components'].update({'a b': s['components']['Pusher']}),
        "the component name 'a b' has characters other than letters",
    ),
    'parameter_name': (
        lambda s: s['root']['inputDefinitions']['parameters'].update(
            {'a.b': {'parameterType': 'STRING', 'defaultValue': 'x'}}
        ),
        "the parameter name 'a.b' has characters other than letters",
    ),
    'no_such_component': (
        lambda s: s['components'].pop('SchemaGen'),
        'the task SchemaGen refers to the component SchemaGen, which does not exist',
    ),
    'no_such_task_as_dependency': (
        lambda s: task(s, 'Pusher')['dependentTasks'].append('InfraValidator'),
        'the task Pusher refers to the task InfraValidator, which does not exist',
    ),
    'no_such_task_for_a_parameter': (
        lambda s: task(s, 'Trainer')['inputs']['parameters'].update(
            epochs={'taskOutputParameter': {'producerTask': 'Tuner_task'}}
        ),
        'the task Trainer refers to the task Tuner_task, which does not exist',
    ),
    'no_such_parameter': (
        lambda s: s['root']['inputDefinitions']['parameters'].pop('epochs'),
        'the task Trainer refers to the parameter epochs, which does not exist',
    ),
    'no_such_executor': (
        lambda s: s['deploymentSpec']['executors'].pop('Pusher_executor'),
        'the component Pusher refers to the executor Pusher_executor, which does not exist',
    ),
    'bool_parameter': (
        lambda s: s['root']['inputDefinitions']['parameters']['seed'].update(
            parameterType='BOOLEAN'
        ),
        'the parameter seed has the type BOOLEAN, expected a text or a number',
    ),
    'no_default': (
        lambda s: s['root']['inputDefinitions']['parameters']['epochs'].pop('defaultValue'),
        'the parameter epochs has no default',
    ),
    'stock_image': (
        lambda s: container(s, 'Trainer').update(image='gcr.io/tfx-oss-public/tfx:1.16.0'),
        'Trainer_executor has the image',
    ),
    'no_image': (lambda s: container(s, 'Trainer').pop('image'), "the image ''"),
    'main_class': (
        lambda s: container(s, 'Pusher').update(args=['--executor_class_path', '__main__.Push']),
        'Pusher_executor runs a class of __main__',
    ),
    'module_file': (
        lambda s: constant(s, 'Trainer', 'module_file', 'gs://b/trainer.py'),
        'the task Trainer has a module_file, but its code must be in the image',
    ),
}

BROKEN_ON_BOTH |= {
    f'cached_{name}': (
        lambda s, name=name: task(s, name).update(cachingOptions={'enableCache': True}),
        f'the task {name} is cached',
    )
    for name in ('ServedBaseline', 'Pusher')
}

BROKEN_ON_KUBEFLOW: dict[str, tuple[Callable[[Spec], Any], str]] = {
    'resolver': (
        lambda s: s['deploymentSpec']['executors'].update(ServedBaseline_executor={'resolver': {}}),
        'ServedBaseline_executor is a resolver, expected a container or an importer',
    ),
    'hook': (
        lambda s: container(s, 'ExampleGen').update(lifecycle={'preCacheCheck': {}}),
        'ExampleGen_executor has a pre-cache check, which is ignored',
    ),
    'driver_name': (
        lambda s: s['root']['dag']['tasks'].update({'Trainer-driver': task(s, 'SchemaGen')}),
        'the task Trainer-driver has the name of the driver task of Trainer',
    ),
    'stock_entry_point': (
        lambda s: container(s, 'Transform').update(command=['python', '-m', 'tfx']),
        'Transform_executor does not run python -m components.common.entry_point',
    ),
    'output_types_missing': (
        lambda s: container(s, 'Transform')['args'].remove('--json_serialized_outputs_spec_args'),
        'Transform_executor does not get the interface of its outputs',
    ),
    'cached_resolver': (
        lambda s: task(s, RESOLVER).update(cachingOptions={'enableCache': True}),
        f'the task {RESOLVER} is cached',
    ),
    'example_gen_cached_without_resolver': (
        lambda s: constant(s, 'ExampleGen', 'resolved_input', '{}'),
        f'the task ExampleGen is cached without {RESOLVER}',
    ),
    'data_in_minio': (
        lambda s: s['root']['inputDefinitions']['parameters']['data_folder'].update(
            defaultValue='minio://b/data'
        ),
        'the data is minio://b/data, which TensorFlow cannot open',
    ),
    'baseline_in_minio': (
        lambda s: constant(s, 'ServedBaseline', 'serving_dir', 'minio://b/serving'),
        'the serving folder is minio://b/serving, which TensorFlow cannot open',
    ),
    'push_to_s3': (
        lambda s: constant(
            s, 'Pusher', 'push_destination', '{"filesystem": {"base_directory": "s3://b/x"}}'
        ),
        'the serving folder is s3://b/x, which TensorFlow cannot open',
    ),
    'workers_without_artifacts': (
        lambda s: (
            s.update(defaultPipelineRoot='minio://b/r'),
            container(s, 'Transform')['args'].append('--runner=FlinkRunner'),
        ),
        'the workers of FlinkRunner cannot see minio://b/r',
    ),
}


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('rule', BROKEN_ON_BOTH)
def test_both_refuse_when_the_specification_has(rule: str, target: Target) -> None:
    change, message = BROKEN_ON_BOTH[rule]
    spec = golden_spec(target)
    change(spec)
    assert any(message in line for line in broken_rules(spec, target))


@pytest.mark.parametrize('rule', BROKEN_ON_KUBEFLOW)
def test_kubeflow_refuses_when_the_specification_has(rule: str) -> None:
    change, message = BROKEN_ON_KUBEFLOW[rule]
    spec = golden_spec('kubeflow')
    change(spec)
    (line,) = broken_rules(spec, 'kubeflow')
    assert message in line
    assert line not in broken_rules(spec, 'vertex')


@pytest.mark.parametrize('target', TARGETS)
def test_specification_is_refused_when_it_is_a_whole_job(target: Target) -> None:
    job = {'displayName': 'x', 'pipelineSpec': golden_spec(target), 'runtimeConfig': {}}
    (line,) = broken_rules(job, target)
    assert 'expected a PipelineSpec' in line


def test_kubeflow_refuses_all_of_it_in_words_when_it_is_compiled_for_vertex() -> None:
    with pytest.raises(ConfigError) as caught:
        require_valid(golden_spec('vertex'), 'kubeflow')
    for words in ('kubeflow would refuse', 'pre-cache check', 'does not run'):
        assert words in str(caught.value)
