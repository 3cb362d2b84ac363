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
_STOCK_IMAGE = re.compile(r'^(gcr\.io/tfx-oss-public|tensorflow)/tfx\b')


def require_valid(spec: Spec, target: Target) -> None:
    """Refuse a PipelineSpec that the target would refuse.

    Raises:
        ConfigError: If a rule is broken. The message names all of them.
    """
    rules = _RULES if target == 'vertex' else (*_RULES, *_KUBEFLOW_RULES)
    broken = [line for rule in rules for line in rule(spec)]
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
    """Require artifacts on gs:// if Beam workers outside of the step read them."""
    root = str(spec.get('defaultPipelineRoot', ''))
    runners = {
        argument.partition('=')[2]
        for _, container in _containers_of(spec)
        for argument in map(str, container.get('args', []))
        if argument.startswith('--runner=')
    }
    for runner in sorted(runners - {DIRECT_RUNNER}):
        if not root.startswith('gs://'):
            yield (
                f'the workers of {runner} cannot read {root or "the default pipeline root"}: '
                'pass --pipeline-root gs://BUCKET/FOLDER'
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
)


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
