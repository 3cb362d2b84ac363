"""The rules of the services for a specification.

Each rule comes from the source of a backend, which would refuse the specification at the
upload, at the start of a run, or an hour later during the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.common.entry_point import OUTPUTS_SPEC_FLAG, RESOLVED_INPUT
from components.common.errors import ConfigError
from pipeline.beam.arguments import DIRECT_RUNNER
from pipeline.cloud.kubeflow_spec import (
    DRIVER_SUFFIX,
    ENTRY_POINT,
    EXAMPLE_GEN,
    NEVER_CACHED,
    RESOLVER,
)
from pipeline.cloud.targets import Target

Spec = dict[str, Any]

_SCHEMA_VERSION = '2.1.0'
_PIPELINE_NAME = re.compile(r'[a-z0-9][a-z0-9-]*')
# Names of tasks and components, which become names in an Argo workflow.
_ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9-]*')
_PARAMETER_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]*')
_KNOWN_TYPES = {'STRING', 'NUMBER_INTEGER', 'NUMBER_DOUBLE'}
_STOCK_IMAGE = re.compile(r'^(gcr\.io/tfx-oss-public|tensorflow)/tfx\b')
_UNMOUNTED = re.compile(r'^(?!gs://)[a-z][a-z0-9+.-]*://', re.IGNORECASE)


def require_valid(spec: Spec, target: Target) -> None:
    """Refuse a specification that the target would refuse.

    Raises:
        ConfigError: If a rule is broken. The message names all of them.
    """
    broken = broken_rules(spec, target)
    if broken:
        raise ConfigError(
            f'{target} would refuse this pipeline: {"; ".join(broken)}',
            hint='change the settings that lead to it',
        )


def broken_rules(spec: Spec, target: Target) -> list[str]:
    """Return a message for each rule that a PipelineSpec breaks."""
    if 'pipelineSpec' in spec or not isinstance(spec.get('root'), dict):
        return ['expected a PipelineSpec, got a PipelineJob or something else']
    rules = _RULES if target == 'vertex' else (*_RULES, *_KUBEFLOW_RULES)
    return [line for rule in rules for line in rule(spec)]


def _schema_version(spec: Spec) -> Iterator[str]:
    found = spec.get('schemaVersion')
    if found != _SCHEMA_VERSION:
        yield f'the schema version is {found}, expected {_SCHEMA_VERSION}'


def _names(spec: Spec) -> Iterator[str]:
    name = spec.get('pipelineInfo', {}).get('name', '')
    if not _PIPELINE_NAME.fullmatch(name):
        yield f'the pipeline name {name!r} has characters other than a-z, 0-9 and -'
    for kind, names in (('task', _tasks(spec)), ('component', spec.get('components', {}))):
        for name in names:
            if not _ID.fullmatch(name):
                yield f'the {kind} name {name!r} has characters other than letters, digits and -'
    for name in _root_parameters(spec):
        if not _PARAMETER_NAME.fullmatch(name):
            yield f'the parameter name {name!r} has characters other than letters, digits, - and _'


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


def _run_time_parameters(spec: Spec) -> Iterator[str]:
    for name, definition in _root_parameters(spec).items():
        kind = definition.get('parameterType')
        if kind not in _KNOWN_TYPES:
            yield f'the parameter {name} has the type {kind}, expected a text or a number'
        if definition.get('defaultValue') is None:
            yield f'the parameter {name} has no default, so a run without it is refused'


def _containers(spec: Spec) -> Iterator[str]:
    """Require an image with this project, and code in it, for each container."""
    for label, container in _containers_of(spec):
        image = container.get('image', '')
        if not image or _STOCK_IMAGE.match(image):
            yield f'{label} has the image {image!r}, which does not have the code of this project'
        args = container.get('args', [])
        if any('__main__' in str(arg) for arg in _after(args, '--executor_class_path')):
            yield f'{label} runs a class of __main__, which does not exist in the container'
    for name, task in _tasks(spec).items():
        for key in ('module_file', 'module_path'):
            if _constant(task, key):
                yield f'the task {name} has a {key}, but its code must be in the image'


def _executor_kinds(spec: Spec) -> Iterator[str]:
    for label, executor in _executors(spec).items():
        kinds = sorted(set(executor) - {'container', 'importer'})
        if kinds:
            yield f'{label} is a {kinds[0]}, expected a container or an importer'


def _no_hooks(spec: Spec) -> Iterator[str]:
    for label, container in _containers_of(spec):
        if 'lifecycle' in container:
            yield f'{label} has a pre-cache check, which is ignored, so new data would be missed'


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


def _entry_points(spec: Spec) -> Iterator[str]:
    """Require our entry point, which completes and translates artifacts."""
    for label, container in _containers_of(spec):
        command, args = container.get('command', []), container.get('args', [])
        if tuple(command) != ENTRY_POINT:
            yield f'{label} does not run {" ".join(ENTRY_POINT)}'
        elif OUTPUTS_SPEC_FLAG not in args:
            yield f'{label} does not get the interface of its outputs'


def _never_cached(spec: Spec) -> Iterator[str]:
    """Require that tasks which depend on more than their inputs are not cached."""
    for name in NEVER_CACHED:
        if _is_cached(_tasks(spec).get(name, {})):
            yield f'the task {name} is cached, so it would miss changes of the served model'


def _cached_by_resolver(spec: Spec) -> Iterator[str]:
    task = _tasks(spec).get(EXAMPLE_GEN, {})
    source = task.get('inputs', {}).get('parameters', {}).get(RESOLVED_INPUT, {})
    follows_resolver = source.get('taskOutputParameter', {}).get('producerTask') == RESOLVER
    if _is_cached(_tasks(spec).get(RESOLVER, {})):
        yield f'the task {RESOLVER} is cached, so it would miss new data'
    if _is_cached(task) and not follows_resolver:
        yield f'the task {EXAMPLE_GEN} is cached without {RESOLVER}, so it would miss new data'


def _places(spec: Spec) -> Iterator[str]:
    """Require data and pushed models on gs:// or a volume; the launcher mounts artifacts only."""
    tasks = _tasks(spec)
    folders = [
        ('the data', _constant(tasks.get(EXAMPLE_GEN, {}), 'input_base')),
        ('the data', _root_parameters(spec).get('data_folder', {}).get('defaultValue')),
        ('the serving folder', _constant(tasks.get('ServedBaseline', {}), 'serving_dir')),
        ('the serving folder', _push_destination(tasks.get('Pusher', {}))),
    ]
    for what, folder in dict.fromkeys(folders):
        if folder and _UNMOUNTED.match(folder):
            yield f'{what} is {folder}, which TensorFlow cannot open; use gs:// or a volume'


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
            yield f'the workers of {runner} cannot see {root or "the default root"}; use gs://'


_RULES: tuple[Callable[[Spec], Iterator[str]], ...] = (
    _schema_version,
    _names,
    _references,
    _run_time_parameters,
    _containers,
    _never_cached,
)
_KUBEFLOW_RULES: tuple[Callable[[Spec], Iterator[str]], ...] = (
    _executor_kinds,
    _no_hooks,
    _driver_names,
    _entry_points,
    _cached_by_resolver,
    _places,
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


def _is_cached(task: Spec) -> bool:
    return bool(task.get('cachingOptions', {}).get('enableCache'))


def _constant(task: Spec, key: str) -> Any:
    source = task.get('inputs', {}).get('parameters', {}).get(key, {})
    return source.get('runtimeValue', {}).get('constant')


def _push_destination(task: Spec) -> str:
    text = _constant(task, 'push_destination')
    destination = json.loads(text) if text else {}
    return str(destination.get('filesystem', {}).get('base_directory', ''))


def _after(args: list[Any], flag: str) -> list[Any]:
    return [args[index + 1] for index, arg in enumerate(args[:-1]) if arg == flag]
