"""What the commands `schedule` print and change, on fakes of the services over HTTP."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients import scheduling
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule, Service
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.pipeline.cloud.clients.fake_vertex import FakeVertex
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


def test_schedule_is_shown_as_lines_or_json_when_its_name_is_given(
    kubeflow: KubeflowService,
    kubeflow_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, dataclasses.replace(NIGHTLY, name='weekly'))
    info, _ = kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    scheduling.show_schedule(kubeflow, 'nightly', as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        'name: nightly',
        'state: active',
        'cron: 0 0 3 * * *',
        'max concurrency: 1',
        'parameter: data=gs://films/reviews',
        'parameter: train-epochs=5',
        f'id: {info.id}',
        f'address: {info.url}',
    ]
    scheduling.show_schedule(kubeflow, 'nightly', as_json=True)
    [shown] = json.loads(capsys.readouterr().out)
    assert (shown['name'], shown['parameters'], shown['next_run']) == ('nightly', VALUES, None)


def test_runs_are_shown_when_the_service_tells_them(
    vertex: VertexService,
    fake_vertex: FakeVertex,
    vertex_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    fake_vertex.schedules['1'].update(
        nextRunTime='2026-12-01T03:00:00Z',
        lastScheduledRunResponse={'scheduledRunTime': '2026-11-30T03:00:00Z'},
    )
    scheduling.show_schedule(vertex, 'nightly', as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert 'next run: 2026-12-01T03:00:00+00:00' in lines
    assert 'last run: 2026-11-30T03:00:00+00:00' in lines


def test_schedules_of_the_name_are_paused_and_resumed_when_there_are_several(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
    lines: Lines,
) -> None:
    for name in ('nightly', 'weekly'):
        schedule = dataclasses.replace(NIGHTLY, name=name)
        kubeflow.put_schedule(kubeflow_pipeline, VALUES, schedule)
    original = fake_kubeflow.recurring['recurring-1']
    fake_kubeflow.recurring['copy'] = {**original, 'recurring_run_id': 'copy'}
    for change, expected, status in (
        (scheduling.pause_schedule, 'paused the schedule nightly', 'DISABLED'),
        (scheduling.pause_schedule, 'the schedule nightly is already paused', 'DISABLED'),
        (scheduling.resume_schedule, 'resumed the schedule nightly', 'ENABLED'),
        (scheduling.resume_schedule, 'the schedule nightly is already active', 'ENABLED'),
    ):
        change(kubeflow, 'nightly')
        assert lines() == [expected]
        found = fake_kubeflow.recurring.values()
        assert [(run['display_name'], run['status']) for run in found] == [
            ('nightly', status),
            ('weekly', 'ENABLED'),
            ('nightly', status),
        ]


def test_message_tells_how_to_resume_when_a_paused_schedule_is_replaced(
    kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline, lines: Lines
) -> None:
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    scheduling.pause_schedule(kubeflow, 'nightly')
    lines()
    scheduling.schedule_pipeline(kubeflow_pipeline, kubeflow, (), NIGHTLY)
    assert lines() == [
        'replaced the schedule nightly: 0 0 3 * * *',
        'the schedule is paused; `schedule resume nightly` resumes it',
    ]


@pytest.mark.parametrize(
    'command',
    [
        functools.partial(scheduling.show_schedule, as_json=False),
        scheduling.pause_schedule,
        scheduling.resume_schedule,
        scheduling.delete_schedule,
    ],
)
def test_schedules_are_named_when_the_name_is_unknown(
    command: Callable[[Service, str], None],
    kubeflow: KubeflowService,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        command(kubeflow, 'weekly')
    assert error.value.hint == 'the service has no schedules'
    info, _ = kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        command(kubeflow, 'weekly')
    assert error.value.hint == 'the schedules are nightly'
    assert kubeflow.schedules() == [info]


def test_schedule_is_deleted_when_its_name_exists(
    kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline
) -> None:
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    scheduling.delete_schedule(kubeflow, 'nightly')
    assert kubeflow.schedules() == []
