"""The steps of a compiled pipeline, in the order in which a service starts them."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Mapping
from typing import Any

from components.common.errors import ConfigError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rules import producers
from pipeline.cloud.targets import Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A task of the pipeline with its component and container.

    Attributes:
        name: Name of the task.
        inputs: `TaskInputsSpec`: the source of each input.
        component: `ComponentSpec`: the declared inputs and outputs.
        container: `PipelineContainerSpec`: image, command and arguments.
        cached: Whether outputs of an earlier run may be reused.
    """

    name: str
    inputs: Mapping[str, Any]
    component: Mapping[str, Any]
    container: Mapping[str, Any]
    cached: bool

    @property
    def output_artifacts(self) -> Mapping[str, Any]:
        """Specification of each output artifact, by key."""
        found: Mapping[str, Any] = self.component.get('outputDefinitions', {}).get('artifacts', {})
        return found

    @property
    def output_parameters(self) -> Mapping[str, Any]:
        """Specification of each output parameter, by key."""
        found: Mapping[str, Any] = self.component.get('outputDefinitions', {}).get('parameters', {})
        return found


def read_steps(pipeline: CompiledPipeline) -> tuple[Step, ...]:
    """Return the steps of a pipeline, each after the steps that it depends on.

    `pipeline.cloud.rules` has checked the specification when it was compiled:
    the components, executors and tasks that it names exist.

    Example:
        `[step.name for step in read_steps(compile_pipeline(config, 'vertex'))]`

    Raises:
        ConfigError: If Kubeflow would start a step before an input of it exists,
            or if a step has no container.
    """
    tasks = pipeline.spec['root']['dag']['tasks']
    order = graphlib.TopologicalSorter(
        {name: _dependencies(pipeline.target, name, task) for name, task in tasks.items()}
    )
    order.prepare()
    steps = []
    while order.is_active():
        ready = sorted(order.get_ready())
        steps += [_read_step(pipeline.spec, name) for name in ready]
        order.done(*ready)
    return tuple(steps)


def _dependencies(target: Target, name: str, task: Mapping[str, Any]) -> set[str]:
    """Return the tasks that must be complete before a task starts.

    Vertex derives them from the inputs. Kubeflow uses `dependentTasks` alone.
    """
    named = set(task.get('dependentTasks', ()))
    read = set(producers(task))
    if target == 'kubeflow' and read - named:
        raise ConfigError(
            f'the dependentTasks of {name} must name every task that it reads from, and lack '
            f'{", ".join(sorted(read - named))}',
            hint='Kubeflow Pipelines may start the task too early; correct kubeflow_spec.py',
        )
    return named | read


def _read_step(spec: Mapping[str, Any], name: str) -> Step:
    task = spec['root']['dag']['tasks'][name]
    component = spec['components'][task['componentRef']['name']]
    executor = spec['deploymentSpec']['executors'][component['executorLabel']]
    if 'container' not in executor:
        raise ConfigError(
            f'the step {name} must run in a container, but its executor is {", ".join(executor)}',
            hint='a rehearsal runs containers only',
        )
    return Step(
        name=name,
        inputs=task.get('inputs', {}),
        component=component,
        container=executor['container'],
        cached=bool(task.get('cachingOptions', {}).get('enableCache', False)),
    )
