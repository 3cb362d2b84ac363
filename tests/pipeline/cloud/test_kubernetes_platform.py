"""The settings of pods in the compiled specification for Kubeflow Pipelines."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from components.common.errors import ConfigError
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.kubeflow_spec import RESOLVER
from pipeline.cloud.targets import TARGETS, Target
from pipeline.settings.cloud import CONTAINER_NODES
from tests.pipeline.cloud import golden

TASKS = (*CONTAINER_NODES, RESOLVER)


def compile_documents(*settings: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the specification and the KubernetesExecutorConfigs by task."""
    config = golden.config(*settings)
    spec, *platforms = yaml.safe_load_all(compile_pipeline(config, 'kubeflow').text())
    if not platforms:
        return spec, {}
    executors = platforms[0]['platforms']['kubernetes']['deploymentSpec']['executors']
    assert set(executors) <= set(spec['deploymentSpec']['executors'])
    return spec, {label.removesuffix('_executor'): config for label, config in executors.items()}


def test_steps_that_read_data_or_models_mount_the_volumes_when_set() -> None:
    _, configs = compile_documents(
        'data.path=/mnt/films/reviews.csv',
        'serving_dir=/mnt/models/sentiment',
        'cloud.volumes={"/mnt/models": "models", "/mnt/films": "films"}',
    )
    mounts = [
        {'constant': 'films', 'mountPath': '/mnt/films'},
        {'constant': 'models', 'mountPath': '/mnt/models'},
    ]
    reading = (RESOLVER, 'ExampleGen', 'ServedBaseline', 'Pusher')
    assert configs == {name: {'pvcMount': mounts} for name in reading}


def test_all_pods_get_the_settings_when_they_are_of_all_nodes() -> None:
    spec, configs = compile_documents(
        'cloud.pod.all.image_pull_secrets=[registry]',
        'cloud.pod.all.labels={team: reviews}',
        'cloud.pod.all.annotations={example.com/owner: "a b"}',
        'cloud.pod.all.secret_env={KEY: bucket/secret_key, USER: bucket/user}',
        'cloud.pod.all.secret_files={/etc/b: bucket, /etc/a: other}',
        'cloud.pod.all.env={GOOGLE_APPLICATION_CREDENTIALS: /etc/b/key.json}',
    )
    # Fields of kubernetes_executor_config.proto that 2.5.0 and all later versions read.
    expected = {
        'imagePullSecret': [{'secretName': 'registry'}],
        'podMetadata': {
            'labels': {'team': 'reviews'},
            'annotations': {'example.com/owner': 'a b'},
        },
        'secretAsEnv': [
            {'secretName': 'bucket', 'keyToEnv': [{'secretKey': 'secret_key', 'envVar': 'KEY'}]},
            {'secretName': 'bucket', 'keyToEnv': [{'secretKey': 'user', 'envVar': 'USER'}]},
        ],
        'secretAsVolume': [
            {'secretName': 'other', 'mountPath': '/etc/a'},
            {'secretName': 'bucket', 'mountPath': '/etc/b'},
        ],
    }
    assert configs == {name: expected for name in TASKS}
    executors = spec['deploymentSpec']['executors']
    assert len(executors) == len(TASKS)
    for executor in executors.values():
        assert executor['container']['env'] == [
            {'name': 'GOOGLE_APPLICATION_CREDENTIALS', 'value': '/etc/b/key.json'}
        ]


def test_step_gets_a_machine_with_a_gpu_when_selector_toleration_and_resource_are_set() -> None:
    spec, configs = compile_documents(
        'cloud.resources.Trainer={accelerator: nvidia.com/gpu}',
        'cloud.pod.Trainer.node_selector={cloud.google.com/gke-accelerator: nvidia-tesla-t4}',
        'cloud.pod.Trainer.tolerations=[{key: nvidia.com/gpu, operator: Exists, '
        'effect: NoSchedule}, {key: a, value: b, effect: NoExecute, toleration_seconds: 60}]',
    )
    assert configs == {
        'Trainer': {
            'nodeSelector': {'labels': {'cloud.google.com/gke-accelerator': 'nvidia-tesla-t4'}},
            'tolerations': [
                {'key': 'nvidia.com/gpu', 'operator': 'Exists', 'effect': 'NoSchedule'},
                {
                    'key': 'a',
                    'operator': 'Equal',
                    'value': 'b',
                    'effect': 'NoExecute',
                    'tolerationSeconds': '60',
                },
            ],
        }
    }
    # The fields that the driver of each version makes a limit of the container.
    resources = spec['deploymentSpec']['executors']['Trainer_executor']['container']['resources']
    assert resources == {'accelerator': {'type': 'nvidia.com/gpu', 'count': '1'}}


def test_task_that_finds_the_data_has_the_pod_of_example_gen_when_set() -> None:
    spec, configs = compile_documents(
        'cloud.pod.ExampleGen={env: {A: b}, secret_files: {/etc/bucket: bucket}}'
    )
    assert set(configs) == {RESOLVER, 'ExampleGen'}
    assert configs[RESOLVER] == configs['ExampleGen']
    executors = spec['deploymentSpec']['executors']
    with_env = {label for label, executor in executors.items() if 'env' in executor['container']}
    assert with_env == {f'{RESOLVER}_executor', 'ExampleGen_executor'}


def test_there_is_no_platform_when_no_pod_has_settings() -> None:
    spec, configs = compile_documents('cloud.pod={all: {}, Trainer: {labels: {}}}')
    assert configs == {}
    assert spec == compile_documents()[0]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            [
                'cloud.volumes={/mnt/a: reviews}',
                'cloud.pod.Pusher.secret_files={/etc/a: reviews}',
            ],
            "the pods of Pusher_executor have two volumes with the name 'reviews'",
        ),
        (
            ['cloud.volumes={/mnt/a: reviews}', 'cloud.pod.all.secret_files={/mnt/a: bucket}'],
            'the pods of ExampleGenResolver_executor, ExampleGen_executor, Pusher_executor, '
            "ServedBaseline_executor have two volumes with the path '/mnt/a'",
        ),
        (
            ['cloud.pod.Trainer.secret_files={/etc/a: kfp-launcher}'],
            "the pods of Trainer_executor have two volumes with the name 'kfp-launcher'",
        ),
        (
            ['cloud.pod.Trainer.secret_files={/minio: bucket}'],
            "the pods of Trainer_executor have two volumes with the path '/minio'",
        ),
        (
            ['cloud.pod.all.env={A: b}', 'cloud.pod.Trainer.secret_env={A: bucket/key}'],
            'the pods of Trainer_executor have the variable A in both env and secret_env',
        ),
        (
            ['cloud.resources.Trainer.accelerator=NVIDIA_TESLA_T4'],
            "Trainer_executor has the accelerator 'NVIDIA_TESLA_T4' (cloud.resources), expected a "
            'resource of Kubernetes, such as nvidia.com/gpu',
        ),
    ],
)
def test_pipeline_is_refused_when_kubernetes_would_refuse_a_pod(
    settings: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_pipeline(golden.config(*settings), 'kubeflow')
    assert str(caught.value).startswith(f'kubeflow would refuse this pipeline: {message}')


@pytest.mark.parametrize(
    'settings',
    [
        ['cloud.volumes={/mnt/a: reviews}', 'cloud.pod.Trainer.secret_files={/mnt/a: reviews}'],
        ['cloud.volumes={/mnt/a: reviews, /mnt/b: reviews}'],
        ['cloud.pod.all.secret_files={/etc/a: a}', 'cloud.pod.Trainer.secret_files={/etc/b: a}'],
    ],
    ids=['no_pod_has_both', 'it_is_one_claim', 'it_is_one_secret'],
)
def test_volumes_share_a_name_when(settings: list[str]) -> None:
    assert compile_pipeline(golden.config(*settings), 'kubeflow').platform


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('setting', ['pod={all: {labels: {a: b}}}', 'volumes={/mnt/a: reviews}'])
def test_settings_of_kubernetes_are_refused_when_the_target_has_no_pods(
    target: Target, setting: str
) -> None:
    config = golden.config(f'cloud.{setting}')
    if target == 'kubeflow':
        assert compile_pipeline(config, target).platform
        return
    with pytest.raises(ConfigError, match='expected none for vertex') as caught:
        compile_pipeline(config, target)
    assert f'remove cloud.{setting.partition("=")[0]}' in caught.value.hint
