"""Plays the driver: resolves what goes into a step, and what it may reuse."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.service import Service
from pipeline.cloud.rehearsal.spec import Step, check_kind, title_of
from pipeline.cloud.rehearsal.store import MetadataStore, Produced, StoredArtifact

_NOTHING = object()
_CONDITION = re.compile(r'(?P<left>[\w.]+)\s*=\s*(?:"(?P<text>[^"]*)"|(?P<word>[\w.+-]+))')
_PROPERTY = re.compile(r'metadata\.(?P<key>\w+)\.(?P<kind>number|string)_value')
_FROM_INPUT = re.compile(
    r"\{\{\$\.inputs\.artifacts\['(?P<input>[^']+)'\]\.metadata\['(?P<key>[^']+)'\]\}\}"
)


def resolve_artifacts(
    step: Step, produced: Mapping[str, Produced], service: Service
) -> dict[str, StoredArtifact]:
    """Return the input artifacts of a step, by key.

    Args:
        step: What is to run.
        produced: What the steps before put out, by name.
        service: Says what becomes of an input that nobody made.

    Raises:
        ComponentError: If an input is missing where the service does not leave
            it out.
    """
    found = {}
    for key, source in step.inputs.get('artifacts', {}).items():
        if 'taskOutputArtifact' not in source:
            raise ComponentError(
                f'{step.name}: the input {key!r} comes from no task, but from {", ".join(source)}',
                hint='a rehearsal knows inputs that a task puts out',
            )
        origin = source['taskOutputArtifact']
        producer, output = origin['producerTask'], origin['outputArtifactKey']
        artifact = produced[producer].artifacts.get(output)
        if artifact is not None:
            found[key] = artifact
        elif not service.leaves_out_missing_inputs:
            raise ComponentError(
                f'{step.name}: cannot find output artifact key {output!r} in producer task '
                f'{producer!r}'
            )
    return found


def resolve_parameters(
    step: Step, produced: Mapping[str, Produced], run_parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the input parameters of a step, by name, as JSON values.

    Raises:
        ComponentError: If a parameter that is not optional has no value.
        ConfigError: If a value is not of the declared type.
    """
    definitions = step.component.get('inputDefinitions', {}).get('parameters', {})
    sources = step.inputs.get('parameters', {})
    found = {}
    for name, definition in definitions.items():
        value = _parameter(sources.get(name, {}), produced, run_parameters)
        if value is _NOTHING:
            value = definition.get('defaultValue', _NOTHING)
        if value is _NOTHING:
            if definition.get('isOptional', False):
                continue
            raise ComponentError(
                f'{step.name}: neither value nor default for the parameter {name!r}',
                hint='the compiled specification leaves it out',
            )
        check_kind(f'the parameter {name} of {step.name}', definition.get('parameterType'), value)
        found[name] = value
    undeclared = sorted(sources.keys() - definitions.keys())
    if undeclared:
        raise ComponentError(
            f'{step.name} is given parameters that its component does not declare: '
            f'{", ".join(undeclared)}'
        )
    return found


def _parameter(
    source: Mapping[str, Any], produced: Mapping[str, Produced], run_parameters: Mapping[str, Any]
) -> Any:
    if 'runtimeValue' in source:
        value = source['runtimeValue']
        if 'runtimeParameter' in value:
            return run_parameters.get(value['runtimeParameter'], _NOTHING)
        return value.get('constant', _NOTHING)
    if 'componentInputParameter' in source:
        return run_parameters.get(source['componentInputParameter'], _NOTHING)
    if 'taskOutputParameter' in source:
        origin = source['taskOutputParameter']
        return produced[origin['producerTask']].parameters.get(
            origin['outputParameterKey'], _NOTHING
        )
    return _NOTHING


def provision(
    step: Step, store: MetadataStore, service: Service, *, run: str, salt: str
) -> dict[str, StoredArtifact]:
    """Return the artifacts that a step is to make, by key: named, typed and placed."""
    return {
        key: StoredArtifact(
            id=store.reserve(),
            type=output['artifactType'],
            uri=service.output_uri(run, step.name, salt, key),
            metadata=output.get('metadata', {}),
        )
        for key, output in step.outputs.items()
    }


def executor_input(
    inputs: Mapping[str, StoredArtifact],
    parameters: Mapping[str, Any],
    outputs: Mapping[str, StoredArtifact],
    service: Service,
) -> dict[str, Any]:
    """Return the `ExecutorInput` of a step, without the paths that only its place knows."""
    return {
        'inputs': {
            'artifacts': {
                key: {'artifacts': [service.as_input(artifact)]} for key, artifact in inputs.items()
            },
            'parameterValues': dict(parameters),
        },
        'outputs': {
            'artifacts': {
                key: {'artifacts': [service.as_output(artifact)]}
                for key, artifact in outputs.items()
            },
        },
    }


def cache_key(
    step: Step,
    inputs: Mapping[str, StoredArtifact],
    parameters: Mapping[str, Any],
    service: Service,
) -> str:
    """Return a digest of all that determines what a container puts out.

    That is what Kubeflow digests: the names of the input artifacts, the input
    parameters, what is to be put out, image, command and environment. Where its
    outputs go does not count.
    """
    container = step.container or {}
    determines = {
        'inputs': {key: service.artifact_name(artifact.id) for key, artifact in inputs.items()},
        'parameters': dict(parameters),
        'outputs': dict(step.outputs),
        'output_parameters': dict(step.output_parameters),
        'image': container.get('image', ''),
        'command': [*container.get('command', ()), *container.get('args', ())],
        'environment': list(container.get('env', ())),
    }
    return hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()


def run_resolver(
    step: Step, inputs: Mapping[str, StoredArtifact], store: MetadataStore, service: Service
) -> Produced:
    """Answer the queries of a resolver: for each, the latest artifact that meets it, or none.

    Raises:
        ComponentError: If a query says what a rehearsal does not understand.
    """
    queries = step.executor['resolver'].get('outputArtifactQueries', {})
    found = {}
    for key, query in queries.items():
        conditions = _conditions(step.name, query.get('filter', ''), inputs)
        if conditions is None:
            continue
        for artifact in store.live_artifacts():
            if all(_holds(artifact, left, value, service) for left, value in conditions):
                found[key] = artifact
                break
    return Produced(artifacts=found)


def _conditions(
    name: str, query: str, inputs: Mapping[str, StoredArtifact]
) -> list[tuple[str, str]] | None:
    """Return the left and right side of each condition; None if it asks for what is not there."""
    conditions = []
    for part in re.split(r'\s+AND\s+', query):
        match = _CONDITION.fullmatch(part.strip())
        known = match and (
            match['left'] in ('schema_title', 'state', 'name') or _PROPERTY.fullmatch(match['left'])
        )
        if match is None or not known:
            raise ComponentError(
                f'{name}: a rehearsal does not understand the query {part!r}',
                hint='only the latest blessed model and the latest artifact can be asked for',
            )
        value = match['word'] if match['text'] is None else match['text']
        asked = _FROM_INPUT.fullmatch(value)
        if asked:
            given = inputs.get(asked['input'])
            if given is None or asked['key'] not in given.metadata:
                return None
            value = str(given.metadata[asked['key']])
        conditions.append((match['left'], value))
    return conditions


def _holds(artifact: StoredArtifact, left: str, value: str, service: Service) -> bool:
    if left == 'schema_title':
        return title_of(artifact.type) == value
    if left == 'name':
        return service.artifact_name(artifact.id) == value
    if left == 'state':
        return value == 'LIVE'
    match = _PROPERTY.fullmatch(left)
    assert match is not None
    found = artifact.metadata.get(match['key'])
    if match['kind'] == 'number':
        return isinstance(found, (int, float)) and float(found) == float(value)
    return found == value
