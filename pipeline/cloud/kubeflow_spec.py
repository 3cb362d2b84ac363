"""Makes of TFX's specification one that open-source Kubeflow Pipelines can run.

What the backend cannot do is done by `components.common.entry_point` in the step, or
by a step before it:

- It hands artifacts over without their types, so each step is told those of
  its outputs, too (TFX tells it those of its inputs).
- It ignores the hook that looks at the data before ExampleGen's cache is
  asked. So the hook becomes a task of its own, which is never cached, and what
  it finds a parameter of ExampleGen, and with that a part of its cache key:
  new data is never missed, and equal data is never read twice.
- What is served changes without any input changing, so the task that reads
  the baseline from there is never cached either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.common.entry_point import OUTPUTS_SPEC_FLAG, RESOLVE_INPUT_FLAG, RESOLVED_INPUT

ENTRY_POINT = ('python', '-m', 'components.common.entry_point')

EXAMPLE_GEN = 'ExampleGen'
DRIVER = 'ExampleGen-driver'
BASELINE = 'BaselineResolver'
NEVER_CACHED = (DRIVER, BASELINE)
# The components that read data or pushed models themselves: artifacts are brought to them.
_MOUNTING = (DRIVER, EXAMPLE_GEN, BASELINE, 'Pusher')


def adapt(spec: dict[str, Any], *, pipeline_root: str) -> None:
    """Change `spec`, as TFX compiles it, in place."""
    # The rest of the job, which has the root, is for Vertex alone.
    spec['defaultPipelineRoot'] = pipeline_root
    for name in spec['components']:
        _tell_output_types(spec, name)
    _lift_driver(spec)
    spec['root']['dag']['tasks'][BASELINE]['cachingOptions'] = {}


def platform_of(spec: dict[str, Any], volumes: Mapping[str, str]) -> dict[str, Any]:
    """Return what goes with the specification: which steps mount which volumes.

    Args:
        spec: As `adapt` leaves it.
        volumes: Names of PersistentVolumeClaims by the path that they are mounted at.

    Returns:
        A SinglePlatformSpec for Kubernetes; empty if there are no volumes.
    """
    if not volumes:
        return {}
    # Later versions of Kubernetes' part have another field for the name, and still take this.
    mounts = [{'constant': claim, 'mountPath': path} for path, claim in sorted(volumes.items())]
    labels = (spec['components'][name]['executorLabel'] for name in _MOUNTING)
    executors = {label: {'pvcMount': mounts} for label in labels}
    return {'platforms': {'kubernetes': {'deploymentSpec': {'executors': executors}}}}


def container_of(spec: dict[str, Any], component: str) -> dict[str, Any]:
    """Return the container that a component runs in."""
    label = spec['components'][component]['executorLabel']
    container: dict[str, Any] = spec['deploymentSpec']['executors'][label]['container']
    return container


def _tell_output_types(spec: dict[str, Any], component: str) -> None:
    outputs = spec['components'][component].get('outputDefinitions', {})
    # Before Beam's arguments, which come last.
    args = container_of(spec, component)['args']
    args[2:2] = [OUTPUTS_SPEC_FLAG, json.dumps(outputs, indent=2, sort_keys=True)]


def _lift_driver(spec: dict[str, Any]) -> None:
    """Turn ExampleGen's pre-cache hook into a task before it."""
    container = container_of(spec, EXAMPLE_GEN)
    hook = container.pop('lifecycle')['preCacheCheck']
    component = spec['components'][EXAMPLE_GEN]
    task = spec['root']['dag']['tasks'][EXAMPLE_GEN]

    spec['components'][DRIVER] = {
        'executorLabel': f'{DRIVER}_executor',
        'inputDefinitions': json.loads(json.dumps(component['inputDefinitions'])),
        'outputDefinitions': {'parameters': {RESOLVED_INPUT: {'parameterType': 'STRING'}}},
    }
    spec['deploymentSpec']['executors'][f'{DRIVER}_executor'] = {
        'container': {
            'image': container['image'],
            'command': list(ENTRY_POINT),
            'args': [RESOLVE_INPUT_FLAG, *hook['args']],
        }
    }
    spec['root']['dag']['tasks'][DRIVER] = {
        'taskInfo': {'name': DRIVER},
        'componentRef': {'name': DRIVER},
        'inputs': json.loads(json.dumps(task['inputs'])),
        'cachingOptions': {},
    }

    component['inputDefinitions']['parameters'][RESOLVED_INPUT] = {'parameterType': 'STRING'}
    task['inputs']['parameters'][RESOLVED_INPUT] = {
        'taskOutputParameter': {'producerTask': DRIVER, 'outputParameterKey': RESOLVED_INPUT}
    }
    task['dependentTasks'] = sorted([*task.get('dependentTasks', []), DRIVER])
