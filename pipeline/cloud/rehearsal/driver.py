"""Emulates the driver of a service: the input of a step, its cache key, and the cache."""

from __future__ import annotations

import hashlib
import json
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

import pydantic

from components.common.atomic_write import atomic_write
from pipeline.cloud.rehearsal.services import Service
from pipeline.cloud.rehearsal.steps import Step, StepOutputs, StoredArtifact

_FORMAT = pydantic.TypeAdapter(StepOutputs)


def resolve_inputs(
    step: Step,
    finished: Mapping[str, StepOutputs],
    run_parameters: Mapping[str, Any],
    service: Service,
) -> dict[str, Any]:
    """Return the inputs of a step, as the `ExecutorInput` contains them.

    `pipeline.cloud.rules` has checked that the sources exist.

    Args:
        step: The step to run.
        finished: Outputs of the steps before it, by name.
        run_parameters: Value of each run-time parameter.
        service: Decides how the step sees an artifact.
    """
    artifacts = {}
    for key, source in step.inputs.get('artifacts', {}).items():
        origin = source['taskOutputArtifact']
        artifact = finished[origin['producerTask']].artifacts[origin['outputArtifactKey']]
        artifacts[key] = {'artifacts': [service.input_artifact(artifact)]}
    parameters = {}
    for name, source in step.inputs.get('parameters', {}).items():
        if 'componentInputParameter' in source:
            parameters[name] = run_parameters[source['componentInputParameter']]
        elif 'taskOutputParameter' in source:
            origin = source['taskOutputParameter']
            outputs = finished[origin['producerTask']].parameters
            parameters[name] = outputs[origin['outputParameterKey']]
        else:
            parameters[name] = source['runtimeValue']['constant']
    return {'artifacts': artifacts, 'parameterValues': parameters}


def provision_outputs(step: Step, service: Service, *, run_id: str) -> dict[str, StoredArtifact]:
    """Return the output artifacts of a step, by key: with name, type and URI, without files."""
    salt = uuid.uuid4().hex[:12]
    return {
        key: StoredArtifact(
            name=service.new_artifact_name(),
            type=output['artifactType'],
            uri=service.output_uri(run_id, step.name, salt, key),
            metadata={},
        )
        for key, output in step.outputs.get('artifacts', {}).items()
    }


def compute_cache_key(step: Step, inputs: Mapping[str, Any]) -> str:
    """Return a digest of everything that determines the outputs of a container.

    Kubeflow digests the same (backend/src/v2/cacheutils/cache.go): names of the
    input artifacts, input parameters, declared outputs, image, command and
    environment. The URIs of the outputs do not count.

    Args:
        step: The step to run.
        inputs: Its inputs, from `resolve_inputs`.
    """
    container = step.container
    parts = {
        'inputs': {
            key: found['artifacts'][0]['name'] for key, found in inputs['artifacts'].items()
        },
        'parameters': inputs['parameterValues'],
        'outputs': step.outputs,
        'image': container['image'],
        'command': [*container['command'], *container['args']],
        'environment': list(container.get('env', ())),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Cache:
    """Outputs of the steps of one pipeline, by cache key, each in a file.

    Args:
        folder: Folder of the files; it is made when it is needed.

    Example:
        >>> import tempfile
        >>> cache = Cache(pathlib.Path(tempfile.mkdtemp()))
        >>> cache.add('0a1b', StepOutputs(parameters={'span': 3}))
        >>> cache.find('0a1b').parameters
        {'span': 3}
        >>> cache.find('2c3d') is None
        True
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def add(self, key: str, outputs: StepOutputs) -> None:
        """Keep the outputs of a step; they replace those of an earlier run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self._path(key), _FORMAT.dump_json(outputs))

    def find(self, key: str) -> StepOutputs | None:
        """Return the latest outputs with this key, None if they are missing or damaged."""
        try:
            return _FORMAT.validate_json(self._path(key).read_bytes())
        except (FileNotFoundError, pydantic.ValidationError):
            return None

    def _path(self, key: str) -> pathlib.Path:
        return self._folder / f'{key}.json'
