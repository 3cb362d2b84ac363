"""What the driver makes of the settings of pods."""

from __future__ import annotations

import pytest

from tests.conftest import NODES
from tests.kubeflow.project import Submitted
from tests.kubeflow.test_runs import RESOLVER

pytestmark = pytest.mark.kubeflow


def test_all_pods_have_the_settings_for_all_nodes(pushed: Submitted) -> None:
    assert set(pushed.run.pods) == {RESOLVER, *NODES}
    for pod in pushed.run.pods.values():
        spec, (main,) = pod['spec'], pod['spec']['containers']
        assert spec['imagePullSecrets'] == [{'name': 'registry'}]
        secret = {'secretName': 'bucket', 'optional': False}
        assert {'name': 'bucket', 'secret': secret} in spec['volumes']
        assert {'name': 'bucket', 'mountPath': '/etc/bucket'} in main['volumeMounts']
        assert {'name': 'PLAIN', 'value': 'value'} in main['env']
        key = {'secretKeyRef': {'name': 'minio', 'key': 'secret_key'}}
        assert {'name': 'AWS_SECRET_ACCESS_KEY', 'valueFrom': key} in main['env']
        assert pod['metadata']['annotations']['example.com/owner'] == 'team reviews'
        assert pod['metadata']['labels']['team'] == 'reviews'


def test_only_the_trainer_gets_a_machine_with_a_gpu(pushed: Submitted) -> None:
    others = dict(pushed.run.pods)
    trainer = others.pop('Trainer')['spec']
    assert trainer['nodeSelector'] == {'cloud.google.com/gke-accelerator': 'nvidia-tesla-t4'}
    assert trainer['tolerations'] == [
        {'key': 'nvidia.com/gpu', 'operator': 'Exists', 'effect': 'NoSchedule'}
    ]
    assert trainer['containers'][0]['resources']['limits'] == {'cpu': '4', 'nvidia.com/gpu': '1'}
    for pod in others.values():
        assert not {'nodeSelector', 'tolerations'} & pod['spec'].keys()
        assert 'limits' not in pod['spec']['containers'][0]['resources']


def test_pod_has_a_label_of_its_own_when_its_node_has_one(pushed: Submitted) -> None:
    steps = {task: pod['metadata']['labels'].get('step') for task, pod in pushed.run.pods.items()}
    annotations = pushed.run.pods['Trainer']['metadata']['annotations']
    # KFP 2.5 has one template, with the labels of the first task, and no annotation of its own.
    is_2_5 = not any(key.startswith('pipelines.kubeflow.org/') for key in annotations)
    assert steps.pop('Trainer') == (None if is_2_5 else 'trainer')
    assert set(steps.values()) == {None}
