"""A specification is read in the order of its steps, and refused as the service refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.rehearsal.spec import check_kind, check_parameters, read_steps, title_of
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import toys

LATEST = {'resolver': {'outputArtifactQueries': {'data': {'filter': 'state=LIVE'}}}}


def _tasks(spec: dict[str, Any]) -> Any:
    return spec['root']['dag']['tasks']


@pytest.mark.parametrize('target', TARGETS)
def test_steps_come_after_what_they_depend_on(target: Target) -> None:
    first, second = read_steps(toys.compiled(target))
    assert (first.name, first.after) == ('First', frozenset())
    assert (second.name, second.after) == ('Second', {'First'})
    assert second.cached
    assert list(second.outputs) == ['model']


def test_a_resolver_looks_before_this_run_adds_when_it_depends_on_nothing() -> None:
    spec = toys.spec()
    spec['components']['Look'] = {'executorLabel': 'look'}
    spec['deploymentSpec']['executors']['look'] = LATEST
    _tasks(spec)['Look'] = {'componentRef': {'name': 'Look'}}
    names = [step.name for step in read_steps(toys.compiled('vertex', spec))]
    assert names == ['First', 'Look', 'Second']


def test_a_producer_orders_the_steps_on_vertex_when_it_is_no_dependency() -> None:
    spec = toys.spec()
    del _tasks(spec)['Second']['dependentTasks']
    assert [s.name for s in read_steps(toys.compiled('vertex', spec))] == ['First', 'Second']


def test_a_producer_is_refused_on_kubeflow_when_it_is_no_dependency() -> None:
    spec = toys.spec()
    del _tasks(spec)['Second']['dependentTasks']
    with pytest.raises(ConfigError, match='reads outputs of First, not named in its dependent'):
        read_steps(toys.compiled('kubeflow', spec))


def test_a_resolver_is_refused_on_kubeflow() -> None:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['first'] = LATEST
    read_steps(toys.compiled('vertex', spec))
    with pytest.raises(ConfigError, match='First is run by a resolver; it runs containers only'):
        read_steps(toys.compiled('kubeflow', spec))


def _set(spec: dict[str, Any], value: Any, *path: str) -> None:
    for name in path[:-1]:
        spec = spec[name]
    spec[path[-1]] = value


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        ('schemaVersion', '2.0.0', "expected schemaVersion 2.1.0, got '2.0.0'"),
        ('pipelineInfo/name', 'Toy_1', "a pipeline name of a-z, 0-9 and -, got 'Toy_1'"),
        ('root/dag/tasks', {}, 'expected tasks in root.dag, got none'),
        ('root/dag/tasks/First/componentRef/name', 'Frist', "component 'Frist': there is none"),
        ('components/First/executorLabel', 'frist', "executor 'frist': there is none"),
        ('root/dag/tasks/First/triggerPolicy', {'condition': 'x'}, 'First has a trigger policy'),
        ('root/dag/tasks/First/dependentTasks', ['Zeroth'], "on the task 'Zeroth': there is none"),
        ('root/dag/tasks/First/dependentTasks', ['Second'], 'depend on each other in a circle'),
        ('deploymentSpec/executors/first', {'importer': {}}, 'First is run by a importer'),
        ('deploymentSpec/executors/first', {}, 'First is run by a nothing'),
        ('deploymentSpec/executors/first/container/image', '', 'First names no image'),
        (
            'deploymentSpec/executors/first/container',
            {'image': 'image:1'},
            'First has neither command nor args',
        ),
        (
            'components/First/outputDefinitions/artifacts/data/artifactType',
            {'instanceSchema': ''},
            "the output 'data' of First has no type with a title",
        ),
        (
            'root/dag/tasks/Second/inputs/artifacts/data',
            toys.step_from('First', 'date'),
            "the input 'data' of Second is 'date' of First, which has only data",
        ),
    ],
)
def test_a_specification_is_refused_in_words(
    target: Target, path: str, value: Any, words: str
) -> None:
    spec = toys.spec()
    _set(spec, value, *path.split('/'))
    with pytest.raises(ConfigError, match=words):
        read_steps(toys.compiled(target, spec))


def test_a_runtime_parameter_of_schema_2_0_is_refused_on_kubeflow() -> None:
    spec = toys.spec()
    source = {'runtimeValue': {'runtimeParameter': 'size'}}
    _tasks(spec)['Second']['inputs']['parameters']['size'] = source
    read_steps(toys.compiled('vertex', spec))
    with pytest.raises(ConfigError, match="the parameter 'size' of Second is no constant"):
        read_steps(toys.compiled('kubeflow', spec))


def test_parameters_have_their_defaults_when_a_run_gives_none() -> None:
    assert check_parameters(toys.compiled('vertex'), {}) == {'size': 3}
    assert check_parameters(toys.compiled('vertex'), {'size': 5}) == {'size': 5}


@pytest.mark.parametrize('target', TARGETS)
def test_a_parameter_is_refused_when_it_is_unknown(target: Target) -> None:
    with pytest.raises(ConfigError, match='no parameter is called colour') as refused:
        check_parameters(toys.compiled(target), {'colour': 'red'})
    assert refused.value.hint == 'the parameters are size'


@pytest.mark.parametrize('target', TARGETS)
def test_a_parameter_is_refused_when_it_has_no_value(target: Target) -> None:
    spec = toys.spec()
    del spec['root']['inputDefinitions']['parameters']['size']['defaultValue']
    with pytest.raises(ConfigError, match='the parameter size has neither a value nor a default'):
        check_parameters(toys.compiled(target, spec), {})


@pytest.mark.parametrize(
    ('kind', 'value', 'fits'),
    [
        ('STRING', 'a', True),
        ('STRING', 1, False),
        ('NUMBER_INTEGER', 3, True),
        ('NUMBER_INTEGER', 3.0, True),
        ('NUMBER_INTEGER', 3.5, False),
        ('NUMBER_INTEGER', True, False),
        ('NUMBER_DOUBLE', 3.5, True),
        ('NUMBER_DOUBLE', '3.5', False),
        ('BOOLEAN', True, True),
        ('BOOLEAN', 1, False),
        ('LIST', [1], True),
        ('STRUCT', {'a': 1}, True),
        ('PARAMETER_TYPE_ENUM_UNSPECIFIED', 'a', False),
    ],
)
def test_a_value_fits_its_declared_type_or_is_refused(kind: str, value: Any, fits: bool) -> None:
    if fits:
        check_kind('x', kind, value)
    else:
        with pytest.raises(ConfigError, match=f'x is declared {kind}, got'):
            check_kind('x', kind, value)


@pytest.mark.parametrize(
    ('artifact_type', 'title'),
    [
        ({'schemaTitle': 'system.Model'}, 'system.Model'),
        ({'instanceSchema': 'title: tfx.Model\ntype: object\n'}, 'tfx.Model'),
        ({'instanceSchema': ''}, ''),
        ({'instanceSchema': 'just words'}, ''),
        ({}, ''),
    ],
)
def test_the_title_of_a_type(artifact_type: dict[str, str], title: str) -> None:
    assert title_of(artifact_type) == title
