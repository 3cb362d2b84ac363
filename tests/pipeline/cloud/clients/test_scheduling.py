"""Creating, listing and deleting schedules, on fakes of the services over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients import scheduling
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.played import Server

NIGHTLY = Schedule(name='nightly', cron='0 3 * * *')

Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of standard error without their time."""
    return lambda: [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]


def test_schedule_is_replaced_when_it_is_put_twice(
    kubeflow: KubeflowService,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
    lines: Lines,
) -> None:
    for _ in range(2):
        params = ('train-epochs=5',)
        scheduling.schedule_pipeline(kubeflow_pipeline, kubeflow, params, NIGHTLY)
    assert lines() == [
        'created the schedule nightly: 0 0 3 * * *',
        'replaced the schedule nightly: 0 0 3 * * *',
    ]
    (recurring,) = fake_kubeflow.recurring.values()
    assert recurring['runtime_config']['parameters'] == VALUES


def test_time_zone_is_a_part_of_the_cron_expression_when_the_target_is_vertex(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
    vertex: VertexService,
    vertex_pipeline: CompiledPipeline,
) -> None:
    zone = 'Europe/Berlin'
    with pytest.raises(ConfigError, match=f"not apply to --target kubeflow, got '{zone}'") as error:
        scheduling.schedule_pipeline(kubeflow_pipeline, kubeflow, (), NIGHTLY, time_zone=zone)
    assert 'CRON_SCHEDULE_TIMEZONE' in error.value.hint
    assert kubeflow_server.requests == []
    scheduling.schedule_pipeline(vertex_pipeline, vertex, (), NIGHTLY, time_zone=zone)
    assert [info.cron for info in vertex.schedules()] == ['TZ=Europe/Berlin 0 3 * * *']


def test_schedules_are_lines_or_json_when_listed(
    kubeflow: KubeflowService,
    kubeflow_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    info, _ = kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    scheduling.list_schedules(kubeflow, as_json=False)
    assert capsys.readouterr().out == f'nightly\t0 0 3 * * *\tactive\t{info.url}\n'
    scheduling.list_schedules(kubeflow, as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed['name'], listed['id'], listed['active']) == ('nightly', info.id, True)


def test_schedule_is_deleted_when_its_name_exists(
    kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline
) -> None:
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        scheduling.delete_schedule(kubeflow, 'weekly')
    assert error.value.hint == 'the service has no schedules'
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        scheduling.delete_schedule(kubeflow, 'weekly')
    assert error.value.hint == 'the schedules are nightly'
    scheduling.delete_schedule(kubeflow, 'nightly')
    assert kubeflow.schedules() == []
