"""The Trainer as a custom training job of Vertex AI."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from components.common.errors import ConfigError
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.rules import broken_rules
from pipeline.cloud.targets import Target
from pipeline.settings.config import setting_names
from tests.pipeline.cloud import golden

Spec = dict[str, Any]


@pytest.fixture(scope='module')
def plain() -> CompiledPipeline:
    return compile_pipeline(golden.config(), 'vertex')


@pytest.fixture(scope='module')
def compiled() -> CompiledPipeline:
    return compile_pipeline(golden.config(*golden.TRAINING_JOB), 'vertex')


def executor(spec: Spec) -> Spec:
    found: Spec = spec['deploymentSpec']['executors']['Trainer_executor']
    return found


def pools(spec: Spec) -> list[Spec]:
    found: list[Spec] = executor(spec)['customJob']['customJob']['jobSpec']['workerPoolSpecs']
    return found


def test_specification_is_the_golden_one_when_there_is_a_training_job(
    compiled: CompiledPipeline,
) -> None:
    expected = golden.TRAINING_JOB_FILE.read_text(encoding='utf-8')
    assert golden.golden_text(compiled) == expected, golden.__doc__


def test_nothing_but_the_trainer_changes_when_it_becomes_a_training_job(
    plain: CompiledPipeline, compiled: CompiledPipeline
) -> None:
    before, after = (copy.deepcopy(one.spec) for one in (plain, compiled))
    container = executor(before)['container']
    chief, workers = pools(after)
    assert chief['containerSpec'] == {
        'imageUri': container['image'],
        'command': container['command'],
        'args': container['args'],
    }
    assert workers['containerSpec'] == {
        'imageUri': container['image'],
        'command': ['python', '-m', 'components.trainer.worker'],
    }
    assert [pool['replicaCount'] for pool in (chief, workers)] == ['1', '3']
    machine = {
        'machineType': 'n1-standard-16',
        'acceleratorType': 'NVIDIA_TESLA_T4',
        'acceleratorCount': 2,
    }
    assert chief['machineSpec'] == workers['machineSpec'] == machine
    for spec in (before, after):
        del spec['deploymentSpec']['executors']['Trainer_executor']
        # How it is trained is part of its cache key.
        parameters = spec['root']['dag']['tasks']['Trainer']['inputs']['parameters']
        custom = json.loads(parameters['custom_config']['runtimeValue']['constant'])
        parameters['custom_config'] = {**custom['trainer'], 'distribution': None}
    assert before == after


def test_job_is_strictly_one_of_vertex_when_its_own_messages_parse_it(
    compiled: CompiledPipeline,
) -> None:
    custom_job = pytest.importorskip('google.cloud.aiplatform_v1.types.custom_job')
    found = executor(compiled.spec)['customJob']['customJob']
    parsed = json_format.ParseDict(
        found, custom_job.CustomJob.pb(custom_job.CustomJob()), ignore_unknown_fields=False
    )
    assert [pool.replica_count for pool in parsed.job_spec.worker_pool_specs] == [1, 3]
    assert all(pool.container_spec.image_uri for pool in parsed.job_spec.worker_pool_specs)
    json_format.ParseDict(
        compiled.spec['deploymentSpec'],
        pipeline_spec_pb2.PipelineDeploymentConfig(),
        ignore_unknown_fields=False,
    )


def test_job_has_one_pool_when_it_has_one_replica() -> None:
    account = 'trainer@project.iam.gserviceaccount.com'
    settings = f'cloud.training_job={{machine_type: n1-highmem-4, service_account: {account}}}'
    spec = compile_pipeline(golden.config(settings), 'vertex').spec
    (chief,) = pools(spec)
    assert chief['machineSpec'] == {'machineType': 'n1-highmem-4'}
    assert executor(spec)['customJob']['customJob']['jobSpec']['serviceAccount'] == account


JOB = 'cloud.training_job={replicas: 3}'
WORKERS = 'trainer.distribution=multi_worker'


@pytest.mark.parametrize(
    ('target', 'settings', 'message', 'hint'),
    [
        ('vertex', [WORKERS], 'multi_worker, .* would run as one step', 'replicas=2'),
        (
            'vertex',
            [WORKERS, 'cloud.training_job={replicas: 1}'],
            'would run on one replica',
            'replicas=2',
        ),
        ('vertex', [JOB], '3 replicas, and trainer.distribution is one_device', 'multi_worker'),
        (
            'vertex',
            [JOB, WORKERS, 'cloud.resources={Trainer: {cpu: 4}}'],
            'cloud.resources and cloud.training_job both say',
            'leave the Trainer out',
        ),
        ('kubeflow', [JOB, WORKERS], 'cloud.training_job asks for a training job', 'operator'),
        ('kubeflow', [WORKERS], 'multi_worker asks for a training job', 'operator'),
    ],
)
def test_training_is_refused_in_words_when_the_target_cannot_do_it(
    target: Target, settings: list[str], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compile_pipeline(golden.config(*settings), target)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('replicas', '0'),
        ('replicas', '1001'),
        ('machine_type', 'large'),
        ('machine_type', "''"),
        ('accelerator', 'nvidia.com/gpu'),
        ('accelerator_count', '0'),
        ('boot_disk_gb', '99'),
        ('service_account', 'someone'),
        ('machines', '2'),
    ],
)
def test_setting_is_named_when_a_training_job_cannot_have_its_value(
    field: str, value: str
) -> None:
    with pytest.raises(ConfigError, match=rf'cloud\.training_job\.{field}'):
        golden.config(f'cloud.training_job={{{field}: {value}}}')


def test_settings_of_a_training_job_are_listed_when_all_are() -> None:
    assert 'cloud.training_job.replicas' in setting_names()
    config = golden.config('cloud.training_job.replicas=2')
    assert config.cloud.training_job is not None
    assert config.cloud.training_job.replicas == 2


def of_golden() -> Spec:
    found: Spec = yaml.safe_load(golden.TRAINING_JOB_FILE.read_text(encoding='utf-8'))
    return found['pipelineSpec']


BROKEN: dict[str, tuple[Callable[[Spec], Any], str]] = {
    'many_chiefs': (
        lambda s: pools(s)[0].update(replicaCount='2'),
        r'Trainer_executor has pools of \[2, 3\] replicas, expected 1 in the first',
    ),
    'no_pools': (lambda s: pools(s).clear(), r'has pools of \[\] replicas'),
    'no_machine': (
        lambda s: pools(s)[1].update(machineSpec={}),
        'Trainer_executor has a pool without a machine type',
    ),
    'stock_image': (
        lambda s: pools(s)[1]['containerSpec'].update(imageUri='tensorflow/tfx:1.16.0'),
        "Trainer_executor has the image 'tensorflow/tfx:1.16.0'",
    ),
}


@pytest.mark.parametrize('name', BROKEN)
def test_rule_is_told_when_a_training_job_breaks_it(name: str) -> None:
    spec = of_golden()
    assert broken_rules(spec, 'vertex') == []
    break_it, message = BROKEN[name]
    break_it(spec)
    assert any(re.search(message, line) for line in broken_rules(spec, 'vertex'))
