"""The played driver resolves inputs and computes cache keys as the services do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal import played_driver
from pipeline.cloud.rehearsal.compiled_steps import Step, read_steps
from pipeline.cloud.rehearsal.played_cache import StepOutputs, StoredArtifact
from pipeline.cloud.rehearsal.played_services import make_played_service
from tests.pipeline.cloud.rehearsal import toys

VERTEX = make_played_service(toys.compiled('vertex'))
KUBEFLOW = make_played_service(toys.compiled('kubeflow'))
DATA = StoredArtifact(id=4, type=toys.artifact_type('toy.Data'), uri='gs://b/4', metadata={})


def second_step(spec: dict[str, Any] | None = None) -> Step:
    return read_steps(toys.compiled('vertex', spec))[1]


def test_input_is_the_output_of_its_producer() -> None:
    finished = {'First': StepOutputs(artifacts={'data': DATA})}
    assert played_driver.resolve_artifacts(second_step(), finished, KUBEFLOW) == {'data': DATA}


def test_input_is_left_out_or_an_error_when_its_producer_did_not_make_it() -> None:
    finished = {'First': StepOutputs()}
    assert played_driver.resolve_artifacts(second_step(), finished, VERTEX) == {}
    with pytest.raises(ComponentError, match="Second: cannot find output artifact key 'data' in"):
        played_driver.resolve_artifacts(second_step(), finished, KUBEFLOW)


@pytest.mark.parametrize(
    ('source', 'value'),
    [
        ({'runtimeValue': {'constant': 8}}, 8),
        ({'componentInputParameter': 'size'}, 5),
        ({'taskOutputParameter': {'producerTask': 'First', 'outputParameterKey': 'rows'}}, 9),
    ],
)
def test_parameter_has_the_value_of_its_source(source: dict[str, Any], value: int) -> None:
    spec = toys.spec()
    spec['root']['dag']['tasks']['Second']['inputs']['parameters']['size'] = source
    finished = {'First': StepOutputs(parameters={'rows': 9})}
    found = played_driver.resolve_parameters(second_step(spec), finished, {'size': 5})
    assert found == {'size': value}


def cache_key(spec: dict[str, Any], data: StoredArtifact = DATA, size: int = 3) -> str:
    return played_driver.compute_cache_key(
        second_step(spec), {'data': data}, {'size': size}, VERTEX
    )


def test_cache_key_depends_on_inputs_and_parameters_alone() -> None:
    other = dataclasses.replace(DATA, id=5)
    moved = dataclasses.replace(DATA, uri='gs://b/5')
    assert cache_key(toys.spec()) == cache_key(toys.spec(), data=moved)
    assert (
        len({cache_key(toys.spec(), data, size) for data in (DATA, other) for size in (3, 4)}) == 4
    )


@pytest.mark.parametrize(
    'change',
    [
        lambda container, _: container.update(image='image:2'),
        lambda container, _: container.update(command=['python', '-c', 'pass']),
        lambda container, _: container.update(args=['{{$}}', '--more']),
        lambda container, _: container.update(env=[{'name': 'A', 'value': 'B'}]),
        lambda _, outputs: outputs.update(more={'artifactType': toys.artifact_type('toy.More')}),
    ],
)
def test_cache_key_changes_when_the_container_or_an_output_does(
    change: Callable[[dict[str, Any], dict[str, Any]], None],
) -> None:
    spec = toys.spec()
    container = spec['deploymentSpec']['executors']['second']['container']
    change(container, spec['components']['Second']['outputDefinitions']['artifacts'])
    assert cache_key(spec) != cache_key(toys.spec())


def test_outputs_are_provisioned_with_type_and_uri() -> None:
    (model,) = played_driver.provision_outputs(second_step(), KUBEFLOW, run='r').values()
    assert model.uri.startswith('minio://bucket/root/toy/r/Second/')
    assert model.uri.endswith('/model')
    assert model.type == toys.artifact_type('toy.Model')
    executor_input = played_driver.make_executor_input(
        {'data': DATA}, {'size': 3}, {'model': model}, KUBEFLOW
    )
    assert executor_input['inputs'] == {
        'artifacts': {'data': {'artifacts': [KUBEFLOW.input_artifact(DATA)]}},
        'parameterValues': {'size': 3},
    }
    assert executor_input['outputs']['artifacts'] == {
        'model': {'artifacts': [KUBEFLOW.output_artifact(model)]}
    }
