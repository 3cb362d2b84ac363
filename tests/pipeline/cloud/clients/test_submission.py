"""Starting and following runs, on a fake of Kubeflow Pipelines over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.common.errors import (
    ComponentError,
    ConfigError,
    OutcomeUnknownError,
    ServiceError,
)
from pipeline.cloud.clients import scheduling, submission
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.played import Server

NIGHTLY = Schedule(name='nightly', cron='0 3 * * *')

Submit = Callable[..., None]
Lines = Callable[[], list[str]]


@pytest.fixture
def submit(kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline) -> Submit:
    """Start a run of the pipeline and follow it."""

    def submit_pipeline(*params: str, wait_seconds: float | None = 20) -> None:
        submission.submit_pipeline(
            kubeflow_pipeline, kubeflow, params, poll_seconds=0.01, wait_seconds=wait_seconds
        )

    return submit_pipeline


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of standard error without their time."""
    return lambda: [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]


def test_only_the_address_is_printed_when_the_run_is_not_followed(
    submit: Submit,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit('train-epochs=5', wait_seconds=None)
    assert capsys.readouterr() == (f'{kubeflow_server.url}/#/runs/details/run-1\n', '')
    assert fake_kubeflow.runs['run-1']['runtime_config']['parameters'] == VALUES


@pytest.mark.parametrize(
    ('assignment', 'message'),
    [
        ('train-epochs=many', "train-epochs.*, got 'many'"),
        ('epochs=3', "no run-time parameter 'epochs'"),
        ('train-epochs', "expected --param NAME=VALUE, got 'train-epochs'"),
    ],
)
def test_nothing_is_sent_when_a_parameter_is_wrong(
    assignment: str,
    message: str,
    submit: Submit,
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    with pytest.raises(ConfigError, match=message):
        submit(assignment)
    with pytest.raises(ConfigError, match=message):
        scheduling.schedule_pipeline(kubeflow_pipeline, kubeflow, (assignment,), NIGHTLY)
    assert kubeflow_server.requests == []


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
    submit: Submit,
    fake_kubeflow: FakeKubeflow,
    lines: Lines,
) -> None:
    fake_kubeflow.states = ('PENDING', 'RUNNING', 'RUNNING', 'SUCCEEDED')
    fake_kubeflow.properties = properties
    submit()
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
    state: str, task: str, message: str, submit: Submit, fake_kubeflow: FakeKubeflow
) -> None:
    fake_kubeflow.states, fake_kubeflow.failed_task = ('RUNNING', state), task
    with pytest.raises(ComponentError, match=message) as error:
        submit()
    assert '/#/runs/details/run-1' in error.value.hint


def test_outcome_is_unknown_when_the_run_takes_too_long(
    submit: Submit, fake_kubeflow: FakeKubeflow
) -> None:
    fake_kubeflow.states = ('RUNNING',)
    with pytest.raises(OutcomeUnknownError, match=r'not ended within 0\.05 s; it is running') as e:
        submit(wait_seconds=0.05)
    assert e.value.hint.startswith('the run continues: ')


@pytest.mark.parametrize(('failures', 'succeeds'), [(2, True), (5, False)])
def test_requests_are_repeated_when_the_service_fails_for_a_while(
    failures: int,
    succeeds: bool,
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
    monkeypatch: pytest.MonkeyPatch,
    lines: Lines,
) -> None:
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    monkeypatch.setattr(kubeflow, 'submit', lambda *_: run)
    kubeflow_server.broken = [503] * failures

    def follow() -> None:
        submission.submit_pipeline(
            kubeflow_pipeline, kubeflow, (), poll_seconds=0.01, wait_seconds=20
        )

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
    submit: Submit, kubeflow: KubeflowService, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    answers = iter([ServiceError('the service failed', hint='', may_pass=True), 'pushed'])

    def outcome(*_: object) -> str | Exception:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(kubeflow, 'outcome', outcome)
    submit()
    assert lines()[-2:] == ['the service failed; trying again', 'blessed and pushed']


def test_run_is_not_followed_further_when_the_service_does_not_know_it(
    submit: Submit, fake_kubeflow: FakeKubeflow, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setattr(fake_kubeflow, '_get_runs', None)
    with pytest.raises(ServiceError, match='refused the request: 404'):
        submit()
    assert lines() == []
