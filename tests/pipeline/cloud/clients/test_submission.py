"""Starting, following and scheduling runs, with a service in this process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from components.common.errors import (
    ComponentError,
    ConfigError,
    NotBlessedError,
    OutcomeUnknownError,
    ReviewsError,
    ServiceError,
)
from pipeline.cloud.clients import submission
from pipeline.cloud.clients.service import Outcome, Run, RunStatus, Schedule
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value
from tests.pipeline.cloud.clients.conftest import make_pipeline

RUN = Run(id='run-1', url='http://kubeflow/run-1')
NIGHTLY = Schedule(name='nightly', cron='0 3 * * *')
UNAVAILABLE = ServiceError('503 not ready', may_pass=True)

Answer = RunStatus | ReviewsError


def next_of(answers: list[Any]) -> Any:
    """Return or raise the next answer; the last one repeats."""
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, ReviewsError):
        raise answer
    return answer


class StubService:
    """A service with given answers."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [RunStatus(state='succeeded')]
        self.outcomes: list[Outcome | ReviewsError] = ['pushed']
        self.values: list[Mapping[str, Value]] = []
        self.existing: dict[str, Schedule] = {}

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        self.values.append(values)
        return RUN

    def status(self, run: Run) -> RunStatus:
        found: RunStatus = next_of(self.answers)
        return found

    def outcome(self, compiled: CompiledPipeline, run: Run) -> Outcome:
        found: Outcome = next_of(self.outcomes)
        return found

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[Schedule, bool]:
        self.values.append(values)
        existed = schedule.name in self.existing
        made = dataclasses.replace(schedule, id='1', url='http://kubeflow/schedule')
        self.existing[schedule.name] = made
        return made, existed

    def schedules(self) -> list[Schedule]:
        return list(self.existing.values())

    def delete_schedule(self, schedule: Schedule) -> None:
        del self.existing[schedule.name]


@pytest.fixture
def service() -> StubService:
    return StubService()


@pytest.fixture
def compiled() -> CompiledPipeline:
    return make_pipeline('kubeflow', 'minio://films/root')


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of standard error without their time."""
    return lambda: [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]


def submit(
    compiled: CompiledPipeline,
    service: StubService,
    *params: str,
    wait_seconds: float | None = 20,
) -> None:
    submission.submit_pipeline(
        compiled, service, params, poll_seconds=0.001, wait_seconds=wait_seconds
    )


def test_only_the_address_is_printed_when_the_run_is_not_followed(
    service: StubService, compiled: CompiledPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(compiled, service, 'train-epochs=5', wait_seconds=None)
    assert capsys.readouterr() == (f'{RUN.url}\n', '')
    assert service.values == [{'train-epochs': 5, 'data': 'gs://films/reviews'}]


@pytest.mark.parametrize(
    ('assignment', 'message'),
    [
        ('train-epochs=many', "train-epochs.*, got 'many'"),
        ('epochs=3', "no run-time parameter 'epochs'"),
        ('train-epochs', "expected --param NAME=VALUE, got 'train-epochs'"),
    ],
)
def test_nothing_is_sent_when_a_parameter_is_wrong(
    assignment: str, message: str, service: StubService, compiled: CompiledPipeline
) -> None:
    with pytest.raises(ConfigError, match=message):
        submit(compiled, service, assignment)
    with pytest.raises(ConfigError, match=message):
        submission.schedule_pipeline(compiled, service, (assignment,), NIGHTLY)
    assert service.values == []


@pytest.mark.parametrize(
    ('outcome', 'message'),
    [
        ('pushed', 'blessed and pushed'),
        ('withdrawn', 'blessed, but not pushed: a rollback withdrew this model'),
    ],
)
def test_states_and_outcome_are_printed_when_the_run_is_followed(
    outcome: Outcome, message: str, service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    service.answers = [
        RunStatus(state=state) for state in ('pending', 'running', 'running', 'succeeded')
    ]
    service.outcomes = [outcome]
    submit(compiled, service)
    assert lines() == ['pending', 'running', 'succeeded', message]


@pytest.mark.parametrize(
    ('status', 'error', 'message'),
    [
        (RunStatus(state='cancelled'), ComponentError, 'the run was cancelled; nothing was pushed'),
        (
            RunStatus(state='failed', failed_tasks=('root', 'Trainer'), message='exited with 1.'),
            ComponentError,
            '^Trainer failed: exited with 1$',
        ),
        (RunStatus(state='failed'), ComponentError, '^the run failed$'),
        (ServiceError('404 run-1 not found'), ServiceError, 'run-1 not found'),
    ],
)
def test_error_is_raised_when_the_run_fails(
    status: Answer,
    error: type[ReviewsError],
    message: str,
    service: StubService,
    compiled: CompiledPipeline,
) -> None:
    service.answers = [RunStatus(state='running'), status]
    with pytest.raises(error, match=message) as caught:
        submit(compiled, service)
    assert error is ServiceError or RUN.url in caught.value.hint


def test_error_is_raised_when_the_model_is_not_blessed(
    service: StubService, compiled: CompiledPipeline
) -> None:
    service.outcomes = ['not_blessed']
    with pytest.raises(NotBlessedError, match='not blessed: the run pushed nothing'):
        submit(compiled, service)


def test_outcome_is_unknown_when_the_run_takes_too_long(
    service: StubService, compiled: CompiledPipeline
) -> None:
    service.answers = [RunStatus(state='running')]
    with pytest.raises(OutcomeUnknownError, match=r'not ended within 0\.05 s; it is running') as e:
        submit(compiled, service, wait_seconds=0.05)
    assert e.value.hint == f'the run goes on: {RUN.url}'


def test_requests_are_repeated_when_the_service_fails_for_a_while(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    service.answers = [UNAVAILABLE, UNAVAILABLE, RunStatus(state='succeeded')]
    service.outcomes = [UNAVAILABLE, 'pushed']
    submit(compiled, service)
    retried = '503 not ready; trying again'
    assert lines() == [retried, retried, 'succeeded', retried, 'blessed and pushed']


def test_error_is_raised_when_the_service_keeps_failing(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    service.answers = [UNAVAILABLE]
    with pytest.raises(ServiceError, match='503'):
        submit(compiled, service)
    assert len(lines()) == 4


def test_schedule_is_created_then_replaced_when_it_is_put_twice(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    for _ in range(2):
        submission.schedule_pipeline(compiled, service, ('train-epochs=5',), NIGHTLY)
    assert lines() == [
        'created the schedule nightly: 0 3 * * *',
        'replaced the schedule nightly: 0 3 * * *',
    ]
    assert service.values[0] == {'train-epochs': 5, 'data': 'gs://films/reviews'}


def test_time_zone_is_a_part_of_the_cron_expression_when_the_target_is_vertex(
    service: StubService, compiled: CompiledPipeline
) -> None:
    zone = 'Europe/Berlin'
    with pytest.raises(ConfigError, match=f"not for --target kubeflow, got '{zone}'") as error:
        submission.schedule_pipeline(compiled, service, (), NIGHTLY, time_zone=zone)
    assert 'CRON_SCHEDULE_TIMEZONE' in error.value.hint
    assert service.existing == {}
    on_vertex = make_pipeline('vertex', 'gs://films/root')
    submission.schedule_pipeline(on_vertex, service, (), NIGHTLY, time_zone=zone)
    assert service.existing['nightly'].cron == 'TZ=Europe/Berlin 0 3 * * *'


def test_schedules_are_lines_or_json_when_listed(
    service: StubService, compiled: CompiledPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    service.put_schedule(compiled, {}, NIGHTLY)
    submission.list_schedules(service, as_json=False)
    assert capsys.readouterr().out == 'nightly\t0 3 * * *\tactive\thttp://kubeflow/schedule\n'
    submission.list_schedules(service, as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed['name'], listed['id'], listed['active']) == ('nightly', '1', True)


def test_schedule_is_deleted_when_its_name_exists(
    service: StubService, compiled: CompiledPipeline
) -> None:
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        submission.delete_schedule(service, 'weekly')
    assert error.value.hint == 'the service has no schedules'
    service.put_schedule(compiled, {}, NIGHTLY)
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        submission.delete_schedule(service, 'weekly')
    assert error.value.hint == 'the schedules are nightly'
    submission.delete_schedule(service, 'nightly')
    assert service.existing == {}
