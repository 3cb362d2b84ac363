"""Following and cancelling runs, on a fake of Kubeflow Pipelines over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.common.errors import ComponentError, OutcomeUnknownError, ServiceError
from pipeline.cloud.clients.following import cancel_run, follow_run
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Run
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import API, FakeKubeflow
from tests.played import Server

Follow = Callable[..., None]
Lines = Callable[[], list[str]]


@pytest.fixture
def started(kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline) -> Run:
    """A run that was started."""
    return kubeflow.submit(kubeflow_pipeline, VALUES)


@pytest.fixture
def follow(kubeflow: KubeflowService, started: Run) -> Follow:
    """Follow the run."""

    def follow(*, wait_seconds: float = 20) -> None:
        follow_run(kubeflow, started, poll_seconds=0.01, wait_seconds=wait_seconds)

    return follow


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of standard error without their time."""
    return lambda: [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ('properties', 'message'),
    [
        ({'pushed': 1}, 'blessed and pushed'),
        (
            {'pushed': 0, 'withdrawn_version': '7'},
            'blessed, but not pushed: a rollback withdrew this model',
        ),
    ],
)
def test_states_and_outcome_are_printed_when_the_run_is_followed(
    properties: dict[str, object],
    message: str,
    follow: Follow,
    fake_kubeflow: FakeKubeflow,
    lines: Lines,
) -> None:
    fake_kubeflow.states = ('PENDING', 'RUNNING', 'RUNNING', 'SUCCEEDED')
    fake_kubeflow.properties = properties
    follow()
    assert lines() == ['pending', 'running', 'succeeded', message]


@pytest.mark.parametrize(
    ('state', 'task', 'message'),
    [
        ('CANCELED', '', 'the run was cancelled; nothing was pushed'),
        ('FAILED', 'Trainer', '^Trainer failed: pod exited with 1$'),
        ('FAILED', 'unknown', '^the run failed: pod exited with 1$'),
    ],
)
def test_error_is_raised_when_the_run_fails(
    state: str, task: str, message: str, follow: Follow, fake_kubeflow: FakeKubeflow
) -> None:
    fake_kubeflow.states, fake_kubeflow.failed_task = ('RUNNING', state), task
    with pytest.raises(ComponentError, match=message) as error:
        follow()
    assert '/#/runs/details/run-1' in error.value.hint


def test_outcome_is_unknown_when_the_run_takes_too_long(
    follow: Follow, fake_kubeflow: FakeKubeflow
) -> None:
    fake_kubeflow.states = ('RUNNING',)
    with pytest.raises(OutcomeUnknownError, match=r'not ended within 0\.05 s; it is running') as e:
        follow(wait_seconds=0.05)
    assert e.value.hint.startswith('the run continues: http')
    assert e.value.hint.endswith('/run-1; to follow it, use runs follow run-1')


@pytest.mark.parametrize(('failures', 'succeeds'), [(2, True), (5, False)])
def test_requests_are_repeated_when_the_service_fails_for_a_while(
    failures: int,
    succeeds: bool,
    follow: Follow,
    kubeflow_server: Server,
    lines: Lines,
) -> None:
    kubeflow_server.broken = [503] * failures
    if succeeds:
        follow()
        *retried, pending, _, _, _ = lines()
        assert pending == 'pending'
    else:
        with pytest.raises(ServiceError, match='failed: 503'):
            follow()
        retried = lines()
    assert len(retried) == min(failures, 4)
    assert all(line.endswith('503 fake failure 503; trying again') for line in retried)


def test_outcome_is_asked_for_again_when_the_first_request_fails(
    follow: Follow, kubeflow: KubeflowService, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    answers = iter([ServiceError('the service failed', hint='', may_pass=True), 'pushed'])

    def outcome(*_: object) -> str | Exception:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(kubeflow, 'outcome', outcome)
    follow()
    assert lines()[-2:] == ['the service failed; trying again', 'blessed and pushed']


def test_run_is_not_followed_further_when_the_service_does_not_know_it(
    follow: Follow, fake_kubeflow: FakeKubeflow, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setattr(fake_kubeflow, '_get_runs', None)
    with pytest.raises(ServiceError, match='refused the request: 404'):
        follow()
    assert lines() == []


def test_run_is_stopped_when_it_is_cancelled(
    follow: Follow, kubeflow: KubeflowService, started: Run, lines: Lines
) -> None:
    cancel_run(kubeflow, started)
    cancel_run(kubeflow, started)
    with pytest.raises(ComponentError, match='the run was cancelled; nothing was pushed'):
        follow()
    assert lines() == [
        'asked the service to cancel the run run-1; its state was pending',
        'nothing to cancel: the state of the run is canceling',
        'canceled',
    ]


def test_nothing_is_sent_when_a_run_to_cancel_has_ended(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    started: Run,
    lines: Lines,
) -> None:
    fake_kubeflow.states = ('SUCCEEDED',)
    cancel_run(kubeflow, started)
    assert lines() == ['nothing to cancel: the state of the run is succeeded']
    assert not kubeflow_server.sent(f'POST {API}/runs/{started.id}:terminate')
