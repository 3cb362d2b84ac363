"""The steps of a specification are read in the order in which the service starts them."""

from __future__ import annotations

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.rehearsal.compiled_steps import read_steps
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import toys


@pytest.mark.parametrize('target', TARGETS)
def test_steps_come_after_their_dependencies(target: Target) -> None:
    first, second = read_steps(toys.compiled(target))
    assert (first.name, second.name) == ('First', 'Second')
    assert second.cached
    assert list(second.output_artifacts) == ['model']
    assert second.container['image'] == 'image:1'


def test_producer_must_be_a_dependency_when_the_target_is_kubeflow() -> None:
    spec = toys.spec()
    del spec['root']['dag']['tasks']['Second']['dependentTasks']
    names = [step.name for step in read_steps(toys.compiled('vertex', spec))]
    assert names == ['First', 'Second']
    with pytest.raises(ConfigError, match='dependentTasks of Second must name .* lack First'):
        read_steps(toys.compiled('kubeflow', spec))


@pytest.mark.parametrize('target', TARGETS)
def test_step_is_refused_when_it_has_no_container(target: Target) -> None:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['first'] = {'resolver': {}}
    with pytest.raises(ConfigError, match='First must run in a container, .* executor is resolver'):
        read_steps(toys.compiled(target, spec))
