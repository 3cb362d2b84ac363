"""Starting, following and scheduling runs, with a service in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

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
from pipeline.cloud.clients.connection import Connection
from pipeline.cloud.clients.service import Outcome, Run, RunStatus, Schedule, ScheduleInfo
from pipeline.cloud.clients.submission import Polling
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value
from tests.pipeline.cloud.clients.conftest import make_pipeline

CONNECTION = Connection(target='kubeflow', host='http://kubeflow')
POLLING = Polling(interval_seconds=0, timeout_seconds=20)
RUN = Run(id='run-1', url='http://kubeflow/run-1')
NIGHTLY = Schedule(name='nightly', cron='0 3 * * *')
UNAVAILABLE = ServiceError('503 not ready', may_pass=True)

Answer = RunStatus | ReviewsError


class StubService:
    """A service with given answers; the last answer repeats."""

    def __init__(self) -> None:
        self.answers: Sequence[Answer] = [RunStatus(state='succeeded')]
        self.outcomes: Sequence[Outcome | ReviewsError] = ['pushed']
        self.values: list[Mapping[str, Value]] = []
        self.existing: dict[str, ScheduleInfo] = {}

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        self.values.append(values)
        return RUN

    def status(self, run: Run) -> RunStatus:
        answer, self.answers = self.answers[0], self.answers[1:] or self.answers
        if isinstance(answer, ReviewsError):
            raise answer
        return answer

    def outcome(self, compiled: CompiledPipeline, run: Run) -> Outcome:
        answer, self.outcomes = self.outcomes[0], self.outcomes[1:] or self.outcomes
        if isinstance(answer, ReviewsError):
            raise answer
        return answer

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        self.values.append(values)
        existed = schedule.name in self.existing
        self.existing[schedule.name] = ScheduleInfo(
            name=schedule.name, id='1', cron=schedule.cron, active=True,
            max_concurrency=schedule.max_concurrency, url='http://kubeflow/schedule',
        )  # fmt: skip
        return self.existing[schedule.name], existed

    def schedules(self) -> list[ScheduleInfo]:
        return list(self.existing.values())

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        del self.existing[schedule.name]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> StubService:
    stub = StubService()
    monkeypatch.setattr(submission, 'connect', lambda *_: stub)
    return stub


@pytest.fixture
def compiled() -> CompiledPipeline:
    return make_pipeline('kubeflow', 'minio://films/root')


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of standard error without their time."""
    return lambda: [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]


def submit(compiled: CompiledPipeline, *params: str, polling: Polling | None = POLLING) -> None:
    submission.submit_pipeline(compiled, CONNECTION, params, polling)


def test_only_the_address_is_printed_when_the_run_is_not_followed(
    service: StubService, compiled: CompiledPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    submit(compiled, 'train-epochs=5', polling=None)
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
        submit(compiled, assignment)
    with pytest.raises(ConfigError, match=message):
        submission.schedule_pipeline(compiled, CONNECTION, (assignment,), NIGHTLY)
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
    submit(compiled)
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
        submit(compiled)
    assert error is ServiceError or RUN.url in caught.value.hint


def test_error_is_raised_when_the_model_is_not_blessed(
    service: StubService, compiled: CompiledPipeline
) -> None:
    service.outcomes = ['not_blessed']
    with pytest.raises(NotBlessedError, match='not blessed: the run pushed nothing'):
        submit(compiled)


def test_outcome_is_unknown_when_the_run_takes_too_long(
    service: StubService, compiled: CompiledPipeline
) -> None:
    service.answers = [RunStatus(state='running')]
    polling = Polling(interval_seconds=0.01, timeout_seconds=0.05)
    with pytest.raises(OutcomeUnknownError, match=r'not ended within 0\.05 s; it is running') as e:
        submit(compiled, polling=polling)
    assert e.value.hint == f'the run goes on: {RUN.url}'


def test_requests_are_repeated_when_the_service_fails_for_a_while(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    service.answers = [UNAVAILABLE, UNAVAILABLE, RunStatus(state='succeeded')]
    service.outcomes = [UNAVAILABLE, 'pushed']
    submit(compiled)
    retried = '503 not ready; trying again'
    assert lines() == [retried, retried, 'succeeded', retried, 'blessed and pushed']


def test_error_is_raised_when_the_service_keeps_failing(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    service.answers = [UNAVAILABLE]
    with pytest.raises(ServiceError, match='503'):
        submit(compiled)
    assert len(lines()) == 4


def test_schedule_is_created_then_replaced_when_it_is_put_twice(
    service: StubService, compiled: CompiledPipeline, lines: Lines
) -> None:
    for _ in range(2):
        submission.schedule_pipeline(compiled, CONNECTION, ('train-epochs=5',), NIGHTLY)
    assert lines() == [
        'created the schedule nightly: 0 3 * * *',
        'replaced the schedule nightly: 0 3 * * *',
    ]
    assert service.values[0] == {'train-epochs': 5, 'data': 'gs://films/reviews'}


def test_time_zone_is_refused_when_the_target_is_kubeflow(
    service: StubService, compiled: CompiledPipeline
) -> None:
    berlin = Schedule(name='n', cron='0 3 * * *', time_zone='Europe/Berlin')
    with pytest.raises(ConfigError, match="for --target vertex, got 'Europe/Berlin'") as error:
        submission.schedule_pipeline(compiled, CONNECTION, (), berlin)
    assert 'CRON_SCHEDULE_TIMEZONE' in error.value.hint
    assert service.existing == {}


def test_schedules_are_listed_as_lines_or_json(
    service: StubService, compiled: CompiledPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    service.put_schedule(compiled, {}, NIGHTLY)
    submission.list_schedules(CONNECTION, as_json=False)
    assert capsys.readouterr().out == 'nightly\t0 3 * * *\tactive\thttp://kubeflow/schedule\n'
    submission.list_schedules(CONNECTION, as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed['name'], listed['id'], listed['active']) == ('nightly', '1', True)


def test_schedule_is_deleted_by_name(service: StubService, compiled: CompiledPipeline) -> None:
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        submission.delete_schedule(CONNECTION, 'weekly')
    assert error.value.hint == 'the service has no schedules'
    service.put_schedule(compiled, {}, NIGHTLY)
    with pytest.raises(ConfigError, match="no schedule 'weekly'") as error:
        submission.delete_schedule(CONNECTION, 'weekly')
    assert error.value.hint == 'the schedules are nightly'
    submission.delete_schedule(CONNECTION, 'nightly')
    assert service.existing == {}
