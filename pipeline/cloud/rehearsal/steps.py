"""The steps of a compiled pipeline, in the order in which a service starts them."""

from __future__ import annotations

import dataclasses
import graphlib
from collections.abc import Mapping
from typing import Any

from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rules import producers


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredArtifact:
    """An artifact as a service records it.

    Attributes:
        name: Unique name.
        type: `ArtifactTypeSchema`.
        uri: Location of the files.
        metadata: Properties, as JSON values.
    """

    name: str
    type: Mapping[str, Any]
    uri: str
    metadata: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepOutputs:
    """Output artifacts and output parameters of a step, by key."""

    artifacts: Mapping[str, StoredArtifact] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A task of the pipeline with its container.

    Attributes:
        name: Name of the task.
        inputs: `TaskInputsSpec`: the source of each input.
        outputs: `ComponentOutputsSpec`: the declared outputs.
        container: `PipelineContainerSpec`: image, command and arguments.
        cached: Whether outputs of an earlier run may be reused.
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    container: Mapping[str, Any]
    cached: bool


def read_steps(pipeline: CompiledPipeline) -> tuple[Step, ...]:
    """Return the steps of a pipeline, each after the steps that it depends on.

    `pipeline.cloud.rules` has checked the specification when it was compiled:
    the components, executors and tasks that it names exist.

    Example:
        `[step.name for step in read_steps(compile_pipeline(config, 'vertex'))]`
    """
    tasks = pipeline.spec['root']['dag']['tasks']
    # Sorted, so that the order does not depend on the hashes of the names.
    graph = {
        name: sorted({*tasks[name].get('dependentTasks', ()), *producers(tasks[name])})
        for name in sorted(tasks)
    }
    order = graphlib.TopologicalSorter(graph).static_order()
    return tuple(_read_step(pipeline.spec, name) for name in order)


def _read_step(spec: Mapping[str, Any], name: str) -> Step:
    task = spec['root']['dag']['tasks'][name]
    component = spec['components'][task['componentRef']['name']]
    return Step(
        name=name,
        inputs=task.get('inputs', {}),
        outputs=component.get('outputDefinitions', {}),
        container=spec['deploymentSpec']['executors'][component['executorLabel']]['container'],
        cached=bool(task.get('cachingOptions', {}).get('enableCache', False)),
    )
