"""Each rule, with the golden specification changed in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common.errors import ConfigError
from pipeline.cloud.kubeflow_spec import RESOLVER
from pipeline.cloud.rules import require_valid
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


@pytest.mark.parametrize('target', TARGETS)
def test_no_rule_is_broken_when_the_specification_is_golden(target: Target) -> None:
    require_valid(golden_spec(target), target)


def rename_task(spec: Spec) -> None:
    spec['root']['dag']['tasks']['Statistics_Gen'] = spec['root']['dag']['tasks'].pop(
        'StatisticsGen'
    )


BROKEN_ON_BOTH: dict[str, tuple[Callable[[Spec], Any], str]] = {
    'task_name': (rename_task, "the task name 'Statistics_Gen' has characters other than letters"),
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
    'stock_image': (
        lambda s: container(s, 'Trainer').update(image='gcr.io/tfx-oss-public/tfx:1.16.0'),
        'Trainer_executor has the image',
    ),
    'no_image': (lambda s: container(s, 'Trainer').pop('image'), "the image ''"),
}

BROKEN_ON_BOTH |= {
    f'cached_{name}': (
        lambda s, name=name: s['root']['dag']['tasks'].update(
            {name: {**task(s, 'Pusher'), 'cachingOptions': {'enableCache': True}}}
        ),
        f'the task {name} is cached',
    )
    for name in (RESOLVER, 'ServedBaseline', 'Pusher')
}

BROKEN_ON_KUBEFLOW: dict[str, tuple[Callable[[Spec], Any], str]] = {
    'resolver': (
        lambda s: s['deploymentSpec']['executors'].update(ServedBaseline_executor={'resolver': {}}),
        'ServedBaseline_executor is a resolver, expected a container or an importer',
    ),
    'driver_name': (
        lambda s: s['root']['dag']['tasks'].update({'Trainer-driver': task(s, 'SchemaGen')}),
        'the task Trainer-driver has the name of the driver task of Trainer',
    ),
    'dependency_not_named': (
        lambda s: task(s, 'StatisticsGen').pop('dependentTasks'),
        'the task StatisticsGen reads from ExampleGen, which dependentTasks does not name',
    ),
    'workers_without_artifacts': (
        lambda s: container(s, 'Transform')['args'].append('--runner=FlinkRunner'),
        'the workers of FlinkRunner cannot read the artifacts',
    ),
    'accelerator': (
        lambda s: container(s, 'Pusher').update(resources={'accelerator': {'type': 'gpu'}}),
        "Pusher_executor has the accelerator 'gpu'",
    ),
}


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('rule', BROKEN_ON_BOTH)
def test_specification_is_refused_by_both_when_it_has(rule: str, target: Target) -> None:
    change, message = BROKEN_ON_BOTH[rule]
    spec = golden_spec(target)
    change(spec)
    with pytest.raises(ConfigError, match=f'^{target} would refuse this pipeline: ') as error:
        require_valid(spec, target)
    assert message in str(error.value)


@pytest.mark.parametrize('rule', BROKEN_ON_KUBEFLOW)
def test_specification_is_refused_by_kubeflow_alone_when_it_has(rule: str) -> None:
    change, message = BROKEN_ON_KUBEFLOW[rule]
    spec = golden_spec('kubeflow')
    change(spec)
    require_valid(spec, 'vertex')
    with pytest.raises(ConfigError, match=f'^kubeflow would refuse this pipeline: {message}'):
        require_valid(spec, 'kubeflow')


def test_all_broken_rules_are_named_when_there_are_several() -> None:
    spec = golden_spec('kubeflow')
    for change, _ in BROKEN_ON_KUBEFLOW.values():
        change(spec)
    with pytest.raises(ConfigError) as error:
        require_valid(spec, 'kubeflow')
    for _, message in BROKEN_ON_KUBEFLOW.values():
        assert message in str(error.value)
