"""Reads a compiled specification as the target's service does, and refuses what that refuses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.common.errors import ConfigError
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.targets import Target

SCHEMA_VERSION = '2.1.0'

_HINT = 'it would be refused, or fail, on the cluster as well; mend what compiles it'
_NAME = re.compile(r'[a-z0-9][a-z0-9-]*')
_SERVICE = {'vertex': 'Vertex AI Pipelines', 'kubeflow': 'Kubeflow Pipelines'}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A task of the pipeline, with all that is needed to run it.

    Attributes:
        name: Of the task.
        after: Names of the tasks that must be complete before.
        inputs: Its `TaskInputsSpec`: where each input comes from.
        component: Its `ComponentSpec`: what goes in and comes out.
        executor: Its `ExecutorSpec`: a `container` or a `resolver`.
        cached: Whether its outputs may be reused.
    """

    name: str
    after: frozenset[str]
    inputs: Mapping[str, Any]
    component: Mapping[str, Any]
    executor: Mapping[str, Any]
    cached: bool

    @property
    def container(self) -> Mapping[str, Any] | None:
        """Its `PipelineContainerSpec`; None if it is no container."""
        found: Mapping[str, Any] | None = self.executor.get('container')
        return found

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Specification of each output artifact, by key."""
        found: Mapping[str, Any] = self.component.get('outputDefinitions', {}).get('artifacts', {})
        return found

    @property
    def output_parameters(self) -> Mapping[str, Any]:
        """Specification of each output parameter, by key."""
        definitions = self.component.get('outputDefinitions', {})
        found: Mapping[str, Any] = definitions.get('parameters', {})
        return found


def read_steps(pipeline: CompiledPipeline) -> tuple[Step, ...]:
    """Return the steps of a pipeline, each after all that it depends on.

    Raises:
        ConfigError: If the target's service would not take the specification.
    """
    spec, target = pipeline.spec, pipeline.target
    version = spec.get('schemaVersion')
    if version != SCHEMA_VERSION:
        raise _refused(target, f'expected schemaVersion {SCHEMA_VERSION}, got {version!r}')
    name = spec.get('pipelineInfo', {}).get('name', '')
    if not _NAME.fullmatch(name):
        raise _refused(target, f'expected a pipeline name of a-z, 0-9 and -, got {name!r}')
    tasks = spec.get('root', {}).get('dag', {}).get('tasks', {})
    if not tasks:
        raise _refused(target, 'expected tasks in root.dag, got none')
    steps = {name: _read_step(spec, target, name, task) for name, task in tasks.items()}
    for step in steps.values():
        _check_sources(target, step, steps)
    return tuple(_in_order(target, steps))


def _read_step(spec: Mapping[str, Any], target: Target, name: str, task: Any) -> Step:
    if task.get('triggerPolicy'):
        raise _refused(target, f'{name} has a trigger policy, which a rehearsal does not know')
    component_name = task.get('componentRef', {}).get('name', '')
    component = spec.get('components', {}).get(component_name)
    if component is None:
        raise _refused(target, f'{name} refers to the component {component_name!r}: there is none')
    label = component.get('executorLabel', '')
    executor = spec.get('deploymentSpec', {}).get('executors', {}).get(label)
    if executor is None:
        raise _refused(target, f'{name} refers to the executor {label!r}: there is none')
    step = Step(
        name=name,
        after=frozenset(task.get('dependentTasks', ())) | _producers(target, task),
        inputs=task.get('inputs', {}),
        component=component,
        executor=executor,
        cached=bool(task.get('cachingOptions', {}).get('enableCache', False)),
    )
    _check_executor(target, step)
    for key, output in step.outputs.items():
        if not title_of(output.get('artifactType', {})):
            raise _refused(target, f'the output {key!r} of {name} has no type with a title')
    return step


def _producers(target: Target, task: Mapping[str, Any]) -> frozenset[str]:
    """Return whose outputs a task reads.

    Vertex orders tasks by them too. Kubeflow does not, so there a producer that
    is no dependency either may not have run yet.
    """
    producers = {producer for _, producer, _ in _sources(task.get('inputs', {}))}
    missing = producers - set(task.get('dependentTasks', ()))
    if target == 'kubeflow' and missing:
        raise _refused(
            target,
            f'{task.get("taskInfo", {}).get("name")} reads outputs of '
            f'{", ".join(sorted(missing))}, not named in its dependentTasks',
        )
    return frozenset(producers)


def _check_executor(target: Target, step: Step) -> None:
    kind = next(iter(step.executor), 'nothing')
    known = ('container',) if target == 'kubeflow' else ('container', 'resolver')
    if kind not in known:
        raise _refused(
            target, f'{step.name} is run by a {kind}; it runs {" and ".join(known)}s only'
        )
    container = step.container
    if container is None:
        return
    if not container.get('image'):
        raise _refused(target, f'{step.name} names no image')
    if not container.get('command') and not container.get('args'):
        raise _refused(target, f'{step.name} has neither command nor args')


def _check_sources(target: Target, step: Step, steps: Mapping[str, Step]) -> None:
    for name in step.after:
        if name not in steps:
            raise _refused(target, f'{step.name} depends on the task {name!r}: there is none')
    for key, producer, output in _sources(step.inputs):
        given = steps[producer]
        if output not in given.outputs and output not in given.output_parameters:
            raise _refused(
                target,
                f'the input {key!r} of {step.name} is {output!r} of {producer}, which '
                f'has only {", ".join(sorted({*given.outputs, *given.output_parameters}))}',
            )
    if target == 'kubeflow':
        for key, source in step.inputs.get('parameters', {}).items():
            if 'runtimeValue' in source and 'constant' not in source['runtimeValue']:
                raise _refused(target, f'the parameter {key!r} of {step.name} is no constant')


def _sources(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield key, producer and the producer's key of each input that a task puts out."""
    for key, source in inputs.get('artifacts', {}).items():
        if 'taskOutputArtifact' in source:
            found = source['taskOutputArtifact']
            yield key, found.get('producerTask', ''), found.get('outputArtifactKey', '')
    for key, source in inputs.get('parameters', {}).items():
        if 'taskOutputParameter' in source:
            found = source['taskOutputParameter']
            yield key, found.get('producerTask', ''), found.get('outputParameterKey', '')


def _in_order(target: Target, steps: Mapping[str, Step]) -> Iterator[Step]:
    waiting = dict(steps)
    while waiting:
        # A service starts all that is ready at once: a resolver without dependencies looks
        # into the store before this run adds to it.
        ready = [step for step in waiting.values() if not step.after & waiting.keys()]
        if not ready:
            raise _refused(target, f'{", ".join(sorted(waiting))} depend on each other in a circle')
        for step in sorted(ready, key=lambda step: step.name):
            yield waiting.pop(step.name)


def title_of(artifact_type: Mapping[str, Any]) -> str:
    """Return the title of an `ArtifactTypeSchema`, as `tfx.Model`; empty if it has none.

    >>> title_of({'instanceSchema': 'title: tfx.Model'})
    'tfx.Model'
    """
    if 'schemaTitle' in artifact_type:
        return str(artifact_type['schemaTitle'])
    schema = yaml.safe_load(artifact_type.get('instanceSchema', '') or '{}')
    return str(schema.get('title', '')) if isinstance(schema, dict) else ''


def check_parameters(pipeline: CompiledPipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each run-time parameter, with defaults filled in.

    Args:
        pipeline: What is to be run.
        values: What the run request gives.

    Raises:
        ConfigError: If a parameter is unknown, of another type, or has no value.
    """
    root = pipeline.spec.get('root', {})
    known = root.get('inputDefinitions', {}).get('parameters', {})
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise ConfigError(
            f'no parameter is called {", ".join(unknown)}',
            hint=f'the parameters are {", ".join(sorted(known)) or "none"}',
        )
    found = {}
    for name, definition in known.items():
        if name in values:
            found[name] = values[name]
        elif 'defaultValue' in definition:
            found[name] = definition['defaultValue']
        elif not definition.get('isOptional', False):
            raise _refused(
                pipeline.target, f'the parameter {name} has neither a value nor a default'
            )
        if name in found:
            check_kind(f'the parameter {name}', definition.get('parameterType'), found[name])
    return found


_KINDS = {
    'STRING': (str,),
    'NUMBER_INTEGER': (int, float),
    'NUMBER_DOUBLE': (int, float),
    'BOOLEAN': (bool,),
    'LIST': (list,),
    'STRUCT': (dict,),
}


def check_kind(what: str, kind: Any, value: Any) -> None:
    """Check the JSON value of a parameter against its declared type.

    Raises:
        ConfigError: If it does not fit.
    """
    fits = isinstance(value, _KINDS.get(kind, ()))
    if fits and isinstance(value, bool) and kind != 'BOOLEAN':
        fits = False
    if fits and kind == 'NUMBER_INTEGER' and value != int(value):
        fits = False
    if not fits:
        raise ConfigError(f'{what} is declared {kind}, got {value!r}', hint=_HINT)


def _refused(target: Target, why: str) -> ConfigError:
    return ConfigError(f'{_SERVICE[target]} would not run this: {why}', hint=_HINT)
