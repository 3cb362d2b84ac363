"""Settings of pods: what Kubernetes or the backend would refuse is one clear error."""

from __future__ import annotations

from typing import Any

import pytest

from components.common.errors import ConfigError
from pipeline.settings.cloud import CloudSettings
from pipeline.settings.config import load_config
from pipeline.settings.pods import PodSettings

LONG = 'x' * 63


def load(pod: Any, node: str = 'Trainer') -> CloudSettings:
    return load_config(data='x.csv', flags={'cloud.pod': {node: pod}}).cloud


@pytest.mark.parametrize(
    'pod',
    [
        {'node_selector': {'cloud.google.com/gke-accelerator': 'nvidia-tesla-t4', 'a': ''}},
        {'tolerations': [{'operator': 'Exists'}, {'key': 'a', 'value': 'b'}]},
        {'tolerations': [{'key': 'a', 'effect': 'NoExecute', 'toleration_seconds': 0}]},
        {'image_pull_secrets': ['registry', 'registry.example.com']},
        {'env': {'GOOGLE_APPLICATION_CREDENTIALS': '/etc/bucket/key.json', '_a1': ''}},
        {'secret_env': {'AWS_SECRET_ACCESS_KEY': 'bucket.example.com/secret_key'}},
        {'secret_files': {'/etc/bucket': LONG, '/a.b/c_d': 'a'}},
        {'labels': {'team': LONG, LONG: 'a.B_c-9', 'example.com/a': ''}},
        {'annotations': {'example.com/a': 'any text: {"a": 1}'}},
    ],
)
@pytest.mark.parametrize('node', ['all', 'Trainer'])
def test_settings_are_accepted_when_kubernetes_accepts_them(pod: dict[str, Any], node: str) -> None:
    [field] = pod
    found = load(pod, node).pod_of('Trainer')
    assert found == PodSettings(**pod)
    assert getattr(found, field)


@pytest.mark.parametrize(
    ('pod', 'message'),
    [
        ({'node_selector': {'a/b/c': 'x'}}, r'node_selector: expected NAME or DOMAIN/NAME'),
        ({'node_selector': {'': 'x'}}, r'node_selector: expected NAME or DOMAIN/NAME'),
        ({'node_selector': {'a': 'x y'}}, r'node_selector: expected at most 63 letters'),
        ({'node_selector': {'a': True}}, r'node_selector\.a: input should be a valid string'),
        ({'labels': {'a': LONG + 'x'}}, r'labels: expected at most 63 letters'),
        ({'labels': {'a': '-x'}}, r'labels: expected at most 63 letters'),
        ({'labels': {'a': 'x\n'}}, r'labels: expected at most 63 letters'),
        ({'labels': {LONG + 'x': 'a'}}, r'labels: expected NAME or DOMAIN/NAME'),
        ({'labels': {'workflows.argoproj.io/workflow': 'x'}}, r'other than those of the backend'),
        ({'labels': {'pipeline/runid': 'x'}}, r'other than those of the backend'),
        (
            {'annotations': {'pipelines.kubeflow.org/runtime-role': 'x'}},
            r'annotations: expected a key other than those of the backend',
        ),
        ({'annotations': {'a b': 'x'}}, r'annotations: expected NAME or DOMAIN/NAME'),
        ({'image_pull_secrets': ['Registry']}, r'expected the name of a Secret'),
        ({'env': {'A-B': 'x'}}, r'env: expected a variable with letters'),
        ({'env': {'KFP_POD_NAME': 'x'}}, r'env: expected a variable other than those of the back'),
        ({'secret_env': {'1A': 'a/b'}}, r'secret_env: expected a variable with letters'),
        ({'secret_env': {'NAMESPACE': 'a/b'}}, r'expected a variable other than those of the back'),
        ({'secret_files': {'etc': 'a'}}, r'secret_files: expected an absolute path'),
        ({'secret_files': {'/etc/': 'a'}}, r'secret_files: expected an absolute path'),
        ({'secret_files': {'/etc:x': 'a'}}, r'secret_files: expected an absolute path'),
        # The name of the volume, which cannot have dots.
        ({'secret_files': {'/etc': 'a.b'}}, r'expected the name of a Secret, without dots'),
        ({'secret_files': {'/etc': LONG + 'x'}}, r'expected the name of a Secret, without dots'),
        ({'tolerations': [{}]}, r'tolerations\.0: key: expected one with the operator Equal'),
        (
            {'tolerations': [{'key': 'a', 'operator': 'Exists', 'value': 'b'}]},
            r'tolerations\.0: value: expected none with the operator Exists',
        ),
        (
            {'tolerations': [{'key': 'a', 'effect': 'NoSchedule', 'toleration_seconds': 1}]},
            r'tolerations\.0: toleration_seconds: expected the effect NoExecute',
        ),
        (
            {'tolerations': [{'key': 'a', 'effect': 'NoExecute', 'toleration_seconds': -1}]},
            r'tolerations\.0\.toleration_seconds: input should be greater than or equal to 0',
        ),
        ({'tolerations': [{'key': 'a', 'effect': 'Never'}]}, r"effect: input should be 'NoSchedu"),
    ],
)
def test_error_names_the_setting_when_kubernetes_would_refuse_it(
    pod: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf'^cloud\.pod\.Trainer\..*{message}'):
        load(pod)


@pytest.mark.parametrize(
    'value', ['wJalrXUtnFEMI/K7MDENG', 'hunter2', 'bucket/', '/key', 'bucket/a/b', 'bucket/key\n']
)
def test_value_is_not_printed_when_it_stands_in_place_of_the_name_of_a_secret(value: str) -> None:
    with pytest.raises(ConfigError, match=r'^cloud\.pod: PASSWORD: expected SECRET/KEY') as caught:
        load({'secret_env': {'PASSWORD': value}})
    assert value not in f'{caught.value} {caught.value.hint}'


def test_error_names_the_nodes_when_there_is_no_such_node() -> None:
    with pytest.raises(ConfigError, match=r"cloud\.pod: expected one of all, ExampleGen.*: 'Tune"):
        load({}, node='Tuner')


def test_similar_setting_is_named_when_a_setting_of_a_pod_is_unknown() -> None:
    with pytest.raises(ConfigError, match="'cloud.pod.Trainer.label'") as caught:
        load({'label': {'a': 'b'}})
    assert 'did you mean cloud.pod.NODE.labels?' in caught.value.hint
    with pytest.raises(ConfigError, match='tolerationSeconds') as caught:
        load({'tolerations': [{'key': 'a', 'tolerationSeconds': 3}]})
    assert 'did you mean cloud.pod.NODE.tolerations.N.toleration_seconds?' in caught.value.hint


def test_settings_of_a_node_add_to_those_of_all_nodes_when_both_are_set() -> None:
    gpu = {'key': 'nvidia.com/gpu', 'operator': 'Exists'}
    cloud = CloudSettings.model_validate(
        {
            'pod': {
                'all': {
                    'labels': {'team': 'reviews', 'step': 'any'},
                    'image_pull_secrets': ['a', 'b'],
                    'tolerations': [{'key': 'spot'}],
                },
                'Trainer': {
                    'labels': {'step': 'trainer'},
                    'image_pull_secrets': ['b', 'c'],
                    'tolerations': [gpu, {'key': 'spot'}],
                },
            }
        }
    )
    assert cloud.pod_of('Trainer') == PodSettings.model_validate(
        {
            'labels': {'team': 'reviews', 'step': 'trainer'},
            'image_pull_secrets': ['a', 'b', 'c'],
            'tolerations': [{'key': 'spot'}, gpu],
        }
    )
    assert cloud.pod_of('Pusher') == cloud.pod['all']
