"""Plays the driver of a service: resolves the inputs of a step, and computes its cache key."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.compiled_steps import Step
from pipeline.cloud.rehearsal.played_cache import StepOutputs, StoredArtifact, new_artifact_id
from pipeline.cloud.rehearsal.played_services import PlayedService


def resolve_artifacts(
    step: Step, finished: Mapping[str, StepOutputs], service: PlayedService
) -> dict[str, StoredArtifact]:
    """Return the input artifacts of a step, by key.

    Args:
        step: The step to run.
        finished: Outputs of the steps before it, by name.
        service: Decides what an input means that its producer did not make.

    Raises:
        ComponentError: If an input is missing and the service needs it.
    """
    found = {}
    for key, source in step.inputs.get('artifacts', {}).items():
        producer = source['taskOutputArtifact']['producerTask']
        output = source['taskOutputArtifact']['outputArtifactKey']
        artifact = finished[producer].artifacts.get(output)
        if artifact is not None:
            found[key] = artifact
        elif not service.allows_missing_inputs:
            raise ComponentError(
                f'{step.name}: cannot find output artifact key {output!r} in producer task '
                f'{producer!r}',
                hint='the producer must write every output that another step reads',
            )
    return found


def resolve_parameters(
    step: Step, finished: Mapping[str, StepOutputs], run_parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the input parameters of a step, by name, as JSON values.

    `pipeline.cloud.rules` has checked that the sources exist.

    Args:
        step: The step to run.
        finished: Outputs of the steps before it, by name.
        run_parameters: Value of each run-time parameter.
    """
    found = {}
    for name, source in step.inputs.get('parameters', {}).items():
        if 'componentInputParameter' in source:
            found[name] = run_parameters[source['componentInputParameter']]
        elif 'taskOutputParameter' in source:
            origin = source['taskOutputParameter']
            outputs = finished[origin['producerTask']].parameters
            found[name] = outputs[origin['outputParameterKey']]
        else:
            found[name] = source['runtimeValue']['constant']
    return found


def provision_outputs(step: Step, service: PlayedService, *, run: str) -> dict[str, StoredArtifact]:
    """Return the output artifacts of a step, by key: with id, type and URI, without files."""
    salt = uuid.uuid4().hex[:12]
    return {
        key: StoredArtifact(
            id=new_artifact_id(),
            type=output['artifactType'],
            uri=service.output_uri(run, step.name, salt, key),
            metadata=output.get('metadata', {}),
        )
        for key, output in step.output_artifacts.items()
    }


def make_executor_input(
    inputs: Mapping[str, StoredArtifact],
    parameters: Mapping[str, Any],
    outputs: Mapping[str, StoredArtifact],
    service: PlayedService,
) -> dict[str, Any]:
    """Return the `ExecutorInput` of a step, without the paths that the launcher adds."""
    return {
        'inputs': {
            'artifacts': {
                key: {'artifacts': [service.input_artifact(artifact)]}
                for key, artifact in inputs.items()
            },
            'parameterValues': dict(parameters),
        },
        'outputs': {
            'artifacts': {
                key: {'artifacts': [service.output_artifact(artifact)]}
                for key, artifact in outputs.items()
            },
        },
    }


def compute_cache_key(
    step: Step,
    inputs: Mapping[str, StoredArtifact],
    parameters: Mapping[str, Any],
    service: PlayedService,
) -> str:
    """Return a digest of everything that determines the outputs of a container.

    Kubeflow digests the same (backend/src/v2/cacheutils/cache.go): names of the
    input artifacts, input parameters, declared outputs, image, command and
    environment. The URIs of the outputs do not count.
    """
    container = step.container
    parts = {
        'inputs': {key: service.artifact_name(artifact.id) for key, artifact in inputs.items()},
        'parameters': dict(parameters),
        'outputs': [dict(step.output_artifacts), dict(step.output_parameters)],
        'image': container.get('image', ''),
        'command': [*container.get('command', ()), *container.get('args', ())],
        'environment': list(container.get('env', ())),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
