"""The driver resolves inputs, keys the cache and answers resolvers as the services do."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError, ConfigError
from pipeline.cloud.rehearsal import driver
from pipeline.cloud.rehearsal.service import service_of
from pipeline.cloud.rehearsal.spec import Step, read_steps
from pipeline.cloud.rehearsal.store import MetadataStore, Produced, StoredArtifact
from tests.pipeline.cloud.rehearsal import toys

VERTEX = service_of(toys.compiled('vertex'))
KUBEFLOW = service_of(toys.compiled('kubeflow'))
DATA = StoredArtifact(id=4, type=toys.artifact_type('toy.Data'), uri='gs://b/4', metadata={})


def _second(spec: dict[str, Any] | None = None) -> Step:
    return read_steps(toys.compiled('vertex', spec))[1]


def test_an_input_is_what_the_producer_put_out() -> None:
    produced = {'First': Produced(artifacts={'data': DATA})}
    assert driver.resolve_artifacts(_second(), produced, KUBEFLOW) == {'data': DATA}


def test_an_input_is_left_out_on_vertex_when_nobody_made_it() -> None:
    assert driver.resolve_artifacts(_second(), {'First': Produced()}, VERTEX) == {}


def test_an_input_is_an_error_on_kubeflow_when_nobody_made_it() -> None:
    with pytest.raises(ComponentError, match="Second: cannot find output artifact key 'data' in"):
        driver.resolve_artifacts(_second(), {'First': Produced()}, KUBEFLOW)


def _with_source(source: dict[str, Any]) -> Step:
    spec = toys.spec()
    spec['root']['dag']['tasks']['Second']['inputs']['parameters']['size'] = source
    spec['components']['First']['outputDefinitions']['parameters'] = {
        'rows': {'parameterType': 'NUMBER_INTEGER'}
    }
    return _second(spec)


@pytest.mark.parametrize(
    ('source', 'value'),
    [
        ({'runtimeValue': {'constant': 8}}, 8),
        ({'runtimeValue': {'runtimeParameter': 'size'}}, 5),
        ({'componentInputParameter': 'size'}, 5),
        ({'taskOutputParameter': {'producerTask': 'First', 'outputParameterKey': 'rows'}}, 9),
    ],
)
def test_a_parameter_comes_from_where_it_says(source: dict[str, Any], value: int) -> None:
    produced = {'First': Produced(parameters={'rows': 9})}
    step = _with_source(source)
    assert driver.resolve_parameters(step, produced, {'size': 5}) == {'size': value}


def test_a_parameter_has_the_default_of_its_component_when_no_value_is_given() -> None:
    spec = toys.spec()
    definition = spec['components']['Second']['inputDefinitions']['parameters']['size']
    step = _second(spec)
    with pytest.raises(ComponentError, match="Second: neither value nor default for the .*'size'"):
        driver.resolve_parameters(step, {}, {})
    definition['defaultValue'] = 2
    assert driver.resolve_parameters(_second(spec), {}, {}) == {'size': 2}
    del definition['defaultValue']
    definition['isOptional'] = True
    assert driver.resolve_parameters(_second(spec), {}, {}) == {}


def test_a_parameter_is_refused_when_its_type_is_another() -> None:
    step = _with_source({'runtimeValue': {'constant': 'large'}})
    with pytest.raises(ConfigError, match='the parameter size of Second is declared NUMBER_INT'):
        driver.resolve_parameters(step, {}, {})


def test_a_parameter_is_refused_when_the_component_does_not_declare_it() -> None:
    spec = toys.spec()
    spec['components']['Second']['inputDefinitions']['parameters'] = {}
    with pytest.raises(ComponentError, match='Second is given parameters that .*: size'):
        driver.resolve_parameters(_second(spec), {}, {'size': 1})


def _key(spec: dict[str, Any], data: StoredArtifact = DATA, size: int = 3) -> str:
    return driver.cache_key(_second(spec), {'data': data}, {'size': size}, VERTEX)


def test_the_cache_key_is_the_same_when_nothing_changed() -> None:
    assert _key(toys.spec()) == _key(copy.deepcopy(toys.spec()))


def test_the_cache_key_is_another_when_an_input_or_parameter_is() -> None:
    other = StoredArtifact(id=5, type=DATA.type, uri=DATA.uri, metadata={})
    keys = {_key(toys.spec()), _key(toys.spec(), data=other), _key(toys.spec(), size=4)}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ('part', 'value'),
    [
        ('image', 'image:2'),
        ('command', ['python', '-c', 'pass']),
        ('args', ['{{$}}', '--more']),
        ('env', [{'name': 'A', 'value': 'B'}]),
    ],
)
def test_the_cache_key_is_another_when_the_container_is(part: str, value: Any) -> None:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['second']['container'][part] = value
    assert _key(spec) != _key(toys.spec())


def test_the_cache_key_is_another_when_other_things_are_put_out() -> None:
    spec = toys.spec()
    outputs = spec['components']['Second']['outputDefinitions']['artifacts']
    outputs['more'] = {'artifactType': toys.artifact_type('toy.More')}
    assert _key(spec) != _key(toys.spec())


def test_outputs_are_provisioned_with_type_and_place(tmp_path: pathlib.Path) -> None:
    store = MetadataStore(tmp_path / 'metadata.sqlite', 'toy')
    outputs = driver.provision(_second(), store, KUBEFLOW, run='r', salt='s')
    (model,) = outputs.values()
    assert model.uri == 'minio://bucket/root/toy/r/Second/s/model'
    assert model.type == toys.artifact_type('toy.Model')
    given = driver.executor_input({'data': DATA}, {'size': 3}, outputs, KUBEFLOW)
    assert given['inputs']['artifacts']['data']['artifacts'][0]['name'] == '4'
    assert given['inputs']['parameterValues'] == {'size': 3}
    assert given['outputs']['artifacts']['model']['artifacts'][0]['uri'] == model.uri


BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
JUDGED = (
    'schema_title="tfx.Model" AND state=LIVE AND '
    "name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\""
)


def _resolver(query: str) -> Step:
    return Step(
        name='Look',
        after=frozenset(),
        inputs={},
        component={},
        executor={'resolver': {'outputArtifactQueries': {'found': {'filter': query}}}},
        cached=False,
    )


@pytest.fixture
def store(tmp_path: pathlib.Path) -> MetadataStore:
    """Models 1, 3 and 5 with their blessings 2, 4 and 6; the last is not blessed."""
    store = MetadataStore(tmp_path / 'metadata.sqlite', 'toy')
    for blessed in (1.0, 1.0, 0.0):
        model, blessing = store.reserve(), store.reserve()
        judged = {'blessed': blessed, 'current_model_id': VERTEX.artifact_name(model)}
        for artifact_id, title, metadata in (
            (model, 'tfx.Model', {}),
            (blessing, 'tfx.ModelBlessing', judged),
        ):
            artifact = StoredArtifact(
                id=artifact_id, type=toys.artifact_type(title), uri='u', metadata=metadata
            )
            store.publish(
                run='r',
                step='s',
                state='executed',
                inputs={},
                outputs=Produced(artifacts={'o': artifact}),
            )
    return store


def test_the_latest_blessed_model_is_found(store: MetadataStore) -> None:
    blessing = driver.run_resolver(_resolver(BLESSED), {}, store, VERTEX).artifacts['found']
    assert blessing.id == 4
    model = driver.run_resolver(_resolver(JUDGED), {'input': blessing}, store, VERTEX)
    assert model.artifacts['found'].id == 3


def test_the_latest_artifact_is_found(store: MetadataStore) -> None:
    query = 'schema_title="tfx.Model" AND state=LIVE'
    assert driver.run_resolver(_resolver(query), {}, store, VERTEX).artifacts['found'].id == 5


def test_nothing_is_found_when_nothing_was_blessed(tmp_path: pathlib.Path) -> None:
    store = MetadataStore(tmp_path / 'empty.sqlite', 'toy')
    assert driver.run_resolver(_resolver(BLESSED), {}, store, VERTEX) == Produced()


def test_nothing_is_found_when_there_is_no_blessing_to_ask(store: MetadataStore) -> None:
    assert driver.run_resolver(_resolver(JUDGED), {}, store, VERTEX) == Produced()


@pytest.mark.parametrize(
    'query',
    ['', 'schema_title>"a"', 'create_time=3', 'a OR state=LIVE', 'metadata.x.list_value=1'],
)
def test_a_query_is_refused_when_it_is_not_understood(store: MetadataStore, query: str) -> None:
    with pytest.raises(ComponentError, match='Look: a rehearsal does not understand the query'):
        driver.run_resolver(_resolver(query), {}, store, VERTEX)
