"""The rules of the services for a specification.

Each rule comes from the source of a backend, which would refuse the specification at the
upload, at the start of a run, or an hour later during the run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.common.errors import ConfigError
from pipeline.beam.arguments import DIRECT_RUNNER
from pipeline.cloud.kubeflow_spec import DRIVER_SUFFIX, NEVER_CACHED, RESOLVER
from pipeline.cloud.targets import Target

Spec = dict[str, Any]

# It becomes a name in an Argo workflow.
_TASK_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9-]*')
# Name and path of the volumes that the backend gives to each pod, from 2.5 to the branch of 3.0.
_BACKEND_VOLUMES = {
    'kfp-launcher': '/kfp-launcher',
    'kfp-launcher-config': '/etc/kfp/launcher-config',
    'kfp-launcher-token': '/var/run/secrets/kfp',
    'kfp-workspace': '/kfp-workspace',
    'gcs-scratch': '/gcs',
    's3-scratch': '/s3',
    'minio-scratch': '/minio',
    'dot-local-scratch': '/.local',
    'dot-cache-scratch': '/.cache',
    'dot-config-scratch': '/.config',
}
# A resource that is not one of Kubernetes itself has a domain.
_RESOURCE = re.compile(r'[a-z0-9][a-z0-9.-]*/[A-Za-z0-9][A-Za-z0-9._-]*')
_STOCK_IMAGE = re.compile(r'^(gcr\.io/tfx-oss-public|tensorflow)/tfx\b')


def require_valid(spec: Spec, target: Target, platform: Spec | None = None) -> None:
    """Refuse a PipelineSpec that the target would refuse.

    Args:
        spec: The PipelineSpec.
        target: The service.
        platform: The PlatformSpec, if there is one.

    Raises:
        ConfigError: If a rule is broken. The message names all of them.
    """
    rules = _RULES if target == 'vertex' else (*_RULES, *_KUBEFLOW_RULES)
    broken = [line for rule in rules for line in rule(spec)]
    labels: dict[str, list[str]] = {}
    for rule in _POD_RULES:
        for label, problem in rule(spec, platform or {}):
            labels.setdefault(problem, []).append(label)
    broken += [f'the pods of {", ".join(sorted(of))} {problem}' for problem, of in labels.items()]
    if broken:
        raise ConfigError(
            f'{target} would refuse this pipeline: {"; ".join(broken)}',
            hint='change the options that the message names; if it names none, report it as a '
            'defect of this project',
        )


def _names(spec: Spec) -> Iterator[str]:
    for name in _tasks(spec):
        if not _TASK_NAME.fullmatch(name):
            yield f'the task name {name!r} has characters other than letters, digits and -'


def _references(spec: Spec) -> Iterator[str]:
    """Require that referenced components, tasks and parameters exist."""
    tasks, components = _tasks(spec), spec.get('components', {})
    for name, task in tasks.items():
        component = task.get('componentRef', {}).get('name')
        if component not in components:
            yield f'the task {name} refers to the component {component}, which does not exist'
        for other in sorted({*task.get('dependentTasks', []), *producers(task)} - set(tasks)):
            yield f'the task {name} refers to the task {other}, which does not exist'
        for source in _parameter_sources(task):
            wanted = source.get('componentInputParameter')
            if wanted is not None and wanted not in _root_parameters(spec):
                yield f'the task {name} refers to the parameter {wanted}, which does not exist'
    for name, component in components.items():
        label = component.get('executorLabel')
        if label not in _executors(spec):
            yield f'the component {name} refers to the executor {label}, which does not exist'


def _containers(spec: Spec) -> Iterator[str]:
    """Require an image with this project for each container."""
    for label, container in _containers_of(spec):
        image = container.get('image', '')
        if not image or _STOCK_IMAGE.match(image):
            yield (
                f'{label} has the image {image!r}, which does not have the code of this project: '
                'build one with make image, and pass --image IMAGE'
            )


def _never_cached(spec: Spec) -> Iterator[str]:
    """Require that tasks which depend on more than their inputs are not cached."""
    for name in (*NEVER_CACHED, RESOLVER):
        if _tasks(spec).get(name, {}).get('cachingOptions', {}).get('enableCache'):
            yield f'the task {name} is cached, so it would miss new data or another served model'


def _executor_kinds(spec: Spec) -> Iterator[str]:
    for label, executor in _executors(spec).items():
        kinds = sorted(set(executor) - {'container', 'importer'})
        if kinds:
            yield f'{label} is a {kinds[0]}, expected a container or an importer'


def _driver_names(spec: Spec) -> Iterator[str]:
    """Require that no task has the name of the driver task of another one.

    The backend compiles a task NAME to two Argo tasks, NAME-driver and NAME
    (backend/src/v2/compiler/argocompiler/dag.go). Argo refuses a workflow with two tasks of
    the same name when a run starts.
    """
    tasks = _tasks(spec)
    for name in tasks:
        if f'{name}{DRIVER_SUFFIX}' in tasks:
            yield f'the task {name}{DRIVER_SUFFIX} has the name of the driver task of {name}'


def _dependencies(spec: Spec) -> Iterator[str]:
    """Require that a task names its producers: Vertex derives them, Kubeflow does not."""
    for name, task in _tasks(spec).items():
        for other in sorted({*producers(task)} - {*task.get('dependentTasks', [])}):
            yield f'the task {name} reads from {other}, which dependentTasks does not name'


def _workers(spec: Spec) -> Iterator[str]:
    """Require that Beam runs in the step.

    The artifacts that a step reads and writes are copies in its pod, which the launcher
    downloads and uploads (backend/src/v2/component/launcher_v2.go).
    """
    runners = {
        argument.partition('=')[2]
        for _, container in _containers_of(spec)
        for argument in map(str, container.get('args', []))
        if argument.startswith('--runner=')
    }
    for runner in sorted(runners - {DIRECT_RUNNER}):
        yield (
            f'the workers of {runner} cannot read the artifacts, which are in the pod of a step: '
            'use beam.runner=direct, or --target vertex'
        )


def _accelerators(spec: Spec) -> Iterator[str]:
    """Require that an accelerator is a resource of Kubernetes.

    The driver makes it a limit of the container (initPodSpecPatch in
    backend/src/v2/driver/driver.go), and Kubernetes refuses other names when the pod starts.
    """
    for label, container in _containers_of(spec):
        kind = container.get('resources', {}).get('accelerator', {}).get('type')
        if kind is not None and not _RESOURCE.fullmatch(kind):
            yield (
                f'{label} has the accelerator {kind!r} (cloud.resources), expected a resource of '
                'Kubernetes, such as nvidia.com/gpu'
            )


def _volumes(spec: Spec, platform: Spec) -> Iterator[tuple[str, str]]:
    """Require that the volumes of a pod have different names and paths.

    The driver names a volume as its claim or Secret (makeVolumeMountPatch and extendPodSpecPatch
    in backend/src/v2/driver/k8s.go). Argo merges them with each other and with the volumes of the
    compiler (backend/src/v2/compiler/argocompiler/container.go): two of one name become a volume
    with two sources, which Kubernetes refuses, and of two at one path only one is mounted.
    """
    for label, config in _pods(platform):
        claims = [(m['constant'], m['mountPath']) for m in config.get('pvcMount', [])]
        secrets = [(m['secretName'], m['mountPath']) for m in config.get('secretAsVolume', [])]
        # Several mounts of one claim or Secret are one volume.
        names = [*dict(claims), *dict(secrets), *_BACKEND_VOLUMES]
        paths = [*(path for _, path in claims + secrets), *_BACKEND_VOLUMES.values()]
        for kind, found in (('name', names), ('path', paths)):
            for value in sorted({value for value in found if found.count(value) > 1}):
                yield (
                    label,
                    f'have two volumes with the {kind} {value!r}: change cloud.volumes or '
                    'secret_files in cloud.pod, or use another claim or Secret',
                )


def _variables(spec: Spec, platform: Spec) -> Iterator[tuple[str, str]]:
    """Require that a variable has one value.

    The driver lists both (initPodSpecPatch and extendPodSpecPatch), and Argo merges them by name
    to a variable with a value and a reference to a Secret, which Kubernetes refuses.
    """
    for label, config in _pods(platform):
        plain = {v['name'] for v in _executors(spec)[label]['container'].get('env', [])}
        for source in config.get('secretAsEnv', []):
            for variable in source['keyToEnv']:
                if variable['envVar'] in plain:
                    yield (
                        label,
                        f'have the variable {variable["envVar"]} in both env and secret_env of '
                        'cloud.pod: remove one',
                    )


_RULES: tuple[Callable[[Spec], Iterator[str]], ...] = (
    _names,
    _references,
    _containers,
    _never_cached,
)
_KUBEFLOW_RULES: tuple[Callable[[Spec], Iterator[str]], ...] = (
    _executor_kinds,
    _driver_names,
    _dependencies,
    _workers,
    _accelerators,
)
# They yield executors' labels with what is wrong with the pods.
_POD_RULES: tuple[Callable[[Spec, Spec], Iterator[tuple[str, str]]], ...] = (_volumes, _variables)


def _tasks(spec: Spec) -> dict[str, Any]:
    tasks: dict[str, Any] = spec['root'].get('dag', {}).get('tasks', {})
    return tasks


def _root_parameters(spec: Spec) -> dict[str, Any]:
    found: dict[str, Any] = spec['root'].get('inputDefinitions', {}).get('parameters', {})
    return found


def _executors(spec: Spec) -> dict[str, Any]:
    executors: dict[str, Any] = spec.get('deploymentSpec', {}).get('executors', {})
    return executors


def _containers_of(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the containers of the executors, with their labels."""
    for label, executor in _executors(spec).items():
        if 'container' in executor:
            yield label, executor['container']


def _pods(platform: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the KubernetesExecutorConfigs, with the labels of the executors."""
    kubernetes = platform.get('platforms', {}).get('kubernetes', {})
    yield from kubernetes.get('deploymentSpec', {}).get('executors', {}).items()


def _parameter_sources(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(task.get('inputs', {}).get('parameters', {}).values())


def producers(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks that a task reads outputs of."""
    for source in _parameter_sources(task):
        if 'taskOutputParameter' in source:
            yield source['taskOutputParameter']['producerTask']
    for source in task.get('inputs', {}).get('artifacts', {}).values():
        if 'taskOutputArtifact' in source:
            yield source['taskOutputArtifact']['producerTask']
