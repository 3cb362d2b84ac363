"""Makes the PlatformSpec, whose settings Kubeflow Pipelines applies to the pods of the steps.

It has only fields of kubernetes_platform/proto/kubernetes_executor_config.proto that all versions
from 2.5 to the branch of 3.0 read. Later versions have other fields for some names, and still
accept these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.cloud.kubeflow_spec import BASELINE, EXAMPLE_GEN, PUSHER, RESOLVER, container_of
from pipeline.settings.cloud import CloudSettings
from pipeline.settings.pods import PodSettings, TolerationSettings

# The steps that read data or pushed models, and not only artifacts.
_MOUNTING = (RESOLVER, EXAMPLE_GEN, BASELINE, PUSHER)


def write_variables(spec: dict[str, Any], cloud: CloudSettings) -> None:
    """Write the environment variables of `cloud.pod` to an adapted specification."""
    for name in spec['components']:
        env = _pod_of(name, cloud).env
        if env:
            container_of(spec, name)['env'] = [
                {'name': variable, 'value': value} for variable, value in env.items()
            ]


def platform_of(spec: dict[str, Any], cloud: CloudSettings) -> dict[str, Any]:
    """Return the PlatformSpec for Kubernetes, with the volumes and the settings of the pods.

    Args:
        spec: The adapted specification.
        cloud: The settings, of which `volumes` and `pod` are used.

    Returns:
        An empty dictionary if no step has such settings.
    """
    executors = {}
    for name, component in spec['components'].items():
        volumes = cloud.volumes if name in _MOUNTING else {}
        config = _executor_config(_pod_of(name, cloud), volumes)
        if config:
            executors[component['executorLabel']] = config
    if not executors:
        return {}
    return {'platforms': {'kubernetes': {'deploymentSpec': {'executors': executors}}}}


def _pod_of(component: str, cloud: CloudSettings) -> PodSettings:
    """Return the settings of a step's pod; the resolver reads the data of ExampleGen."""
    return cloud.pod_of(EXAMPLE_GEN if component == RESOLVER else component)


def _executor_config(pod: PodSettings, volumes: Mapping[str, str]) -> dict[str, Any]:
    """Return the KubernetesExecutorConfig of a step."""
    metadata = {'labels': pod.labels, 'annotations': pod.annotations}
    config = {
        'pvcMount': [
            {'constant': claim, 'mountPath': path} for path, claim in sorted(volumes.items())
        ],
        'secretAsVolume': [
            {'secretName': secret, 'mountPath': folder}
            for folder, secret in sorted(pod.secret_files.items())
        ],
        'secretAsEnv': [_variable(name, source) for name, source in sorted(pod.secret_env.items())],
        'imagePullSecret': [{'secretName': secret} for secret in pod.image_pull_secrets],
        'nodeSelector': {'labels': pod.node_selector} if pod.node_selector else {},
        'tolerations': [_toleration(toleration) for toleration in pod.tolerations],
        'podMetadata': {name: keys for name, keys in metadata.items() if keys},
    }
    return {field: value for field, value in config.items() if value}


def _variable(name: str, source: str) -> dict[str, Any]:
    secret, _, key = source.partition('/')
    return {'secretName': secret, 'keyToEnv': [{'secretKey': key, 'envVar': name}]}


def _toleration(toleration: TolerationSettings) -> dict[str, str]:
    seconds = toleration.toleration_seconds
    fields = {
        'key': toleration.key,
        'operator': toleration.operator,
        'value': toleration.value,
        'effect': toleration.effect,
        # The JSON of protocol buffers writes 64-bit numbers as strings.
        'tolerationSeconds': None if seconds is None else str(seconds),
    }
    return {field: value for field, value in fields.items() if value is not None}
