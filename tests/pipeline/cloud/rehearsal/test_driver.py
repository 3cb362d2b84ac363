"""The emulated driver resolves inputs and computes cache keys as the services do."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.cloud.rehearsal import driver
from pipeline.cloud.rehearsal.services import make_service
from pipeline.cloud.rehearsal.steps import Step, StepOutputs, StoredArtifact, read_steps
from tests.pipeline.cloud.rehearsal import small_pipelines

KUBEFLOW = make_service(small_pipelines.compiled('kubeflow'))
DATA = StoredArtifact(name='4', type={'instanceSchema': 'small.Data'}, uri='gs://b/4', metadata={})


def second_step(spec: dict[str, Any] | None = None) -> Step:
    return read_steps(small_pipelines.compiled('vertex', spec))[1]


def cache_key(spec: dict[str, Any], data: StoredArtifact = DATA, size: int = 3) -> str:
    step, finished = second_step(spec), {'First': StepOutputs(artifacts={'data': data})}
    inputs = driver.resolve_inputs(step, finished, {'size': size}, KUBEFLOW)
    return driver.compute_cache_key(step, inputs)


def test_cache_key_depends_on_names_of_inputs_and_on_parameters() -> None:
    other = dataclasses.replace(DATA, name='5')
    moved = dataclasses.replace(DATA, uri='gs://b/5')
    spec = small_pipelines.spec()
    assert cache_key(spec) == cache_key(spec, data=moved)
    assert len({cache_key(spec, data, size) for data in (DATA, other) for size in (3, 4)}) == 4


@pytest.mark.parametrize(
    'change',
    [
        lambda container, _: container.update(image='image:2'),
        lambda container, _: container.update(command=['python', '-c', 'pass']),
        lambda container, _: container.update(args=['{{$}}', '--more']),
        lambda container, _: container.update(env=[{'name': 'A', 'value': 'B'}]),
        lambda _, outputs: outputs.update(more={'artifactType': {'instanceSchema': ''}}),
    ],
)
def test_cache_key_changes_when_the_container_or_an_output_does(
    change: Callable[[dict[str, Any], dict[str, Any]], None],
) -> None:
    spec = small_pipelines.spec()
    container = spec['deploymentSpec']['executors']['second']['container']
    change(container, spec['components']['Second']['outputDefinitions']['artifacts'])
    assert cache_key(spec) != cache_key(small_pipelines.spec())


@pytest.mark.parametrize('text', ['', '{"artifacts": {"model": {"name": "1"}}}'])
def test_cache_entry_is_missing_when_its_file_is_damaged(text: str, tmp_path: pathlib.Path) -> None:
    cache, outputs = driver.Cache(tmp_path), StepOutputs(artifacts={'data': DATA})
    cache.add('key', outputs)
    assert cache.find('key') == outputs
    (tmp_path / 'key.json').write_text(text)
    assert cache.find('key') is None
