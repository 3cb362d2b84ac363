"""Adapts TFX's specification to open-source Kubeflow Pipelines.

`components.common.entry_point` in a step, or another step, does what the backend cannot do:

- The backend passes artifacts without types, and outputs that the component does not have.
  So each step gets the interface of its outputs as an argument, in addition to that of its
  inputs, which TFX passes.
- The backend ignores the hook that looks at the data before ExampleGen is looked up in the
  cache. So the hook becomes a task, which is never cached. Its result is a parameter of
  ExampleGen and part of its cache key, so new data is never missed, and the same data is
  not read again.
"""

from __future__ import annotations

import json
from typing import Any

from components.common.entry_point import OUTPUTS_SPEC_FLAG, RESOLVE_INPUT_FLAG, RESOLVED_INPUT

ENTRY_POINT = ('python', '-m', 'components.common.entry_point')

EXAMPLE_GEN = 'ExampleGen'
RESOLVER = 'ExampleGenResolver'
BASELINE = 'ServedBaseline'
PUSHER = 'Pusher'
# The backend appends it to the name of a task for the name of the task's driver.
DRIVER_SUFFIX = '-driver'
# They depend on the served model, which is no input of theirs.
NEVER_CACHED = (BASELINE, PUSHER)


def adapt(spec: dict[str, Any], *, pipeline_root: str | None) -> None:
    """Adapt a specification of TFX's compiler in place."""
    # Kubeflow does not read the job around the specification, which has the root.
    if pipeline_root is not None:
        spec['defaultPipelineRoot'] = pipeline_root
    _add_resolver_task(spec)
    for name, component in spec['components'].items():
        outputs = component.get('outputDefinitions', {})
        # The arguments for Beam must stay last.
        container_of(spec, name)['args'][:0] = [
            OUTPUTS_SPEC_FLAG,
            json.dumps(outputs, indent=2, sort_keys=True),
        ]


def container_of(spec: dict[str, Any], component: str) -> dict[str, Any]:
    """Return the container of a component."""
    label = spec['components'][component]['executorLabel']
    container: dict[str, Any] = spec['deploymentSpec']['executors'][label]['container']
    return container


def _add_resolver_task(spec: dict[str, Any]) -> None:
    """Replace ExampleGen's pre-cache hook by a task before it."""
    container = container_of(spec, EXAMPLE_GEN)
    hook = container.pop('lifecycle')['preCacheCheck']
    component = spec['components'][EXAMPLE_GEN]
    task = spec['root']['dag']['tasks'][EXAMPLE_GEN]

    spec['components'][RESOLVER] = {
        'executorLabel': f'{RESOLVER}_executor',
        'inputDefinitions': json.loads(json.dumps(component['inputDefinitions'])),
        'outputDefinitions': {'parameters': {RESOLVED_INPUT: {'parameterType': 'STRING'}}},
    }
    spec['deploymentSpec']['executors'][f'{RESOLVER}_executor'] = {
        'container': {
            'image': container['image'],
            'command': list(ENTRY_POINT),
            'args': [RESOLVE_INPUT_FLAG, *hook['args']],
        }
    }
    spec['root']['dag']['tasks'][RESOLVER] = {
        'taskInfo': {'name': RESOLVER},
        'componentRef': {'name': RESOLVER},
        'inputs': json.loads(json.dumps(task['inputs'])),
        'cachingOptions': {},
    }

    component['inputDefinitions']['parameters'][RESOLVED_INPUT] = {'parameterType': 'STRING'}
    task['inputs']['parameters'][RESOLVED_INPUT] = {
        'taskOutputParameter': {'producerTask': RESOLVER, 'outputParameterKey': RESOLVED_INPUT}
    }
    task['dependentTasks'] = sorted([*task.get('dependentTasks', []), RESOLVER])
