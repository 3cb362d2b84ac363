"""Follows and cancels runs on a service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from components.common.errors import (
    ComponentError,
    NotBlessedError,
    OutcomeUnknownError,
    ServiceError,
)
from pipeline.cloud.clients.service import Outcome, Run, RunStatus, Service
from pipeline.cloud.clients.status_line import print_status
from pipeline.process import signals

T = TypeVar('T')

# After as many requests, a service that is updated, or a port-forward that restarts, is back.
_MAX_ATTEMPTS = 5
# The states in which a run does not change any more, in the words of all services.
_SUCCEEDED = ('succeeded', 'skipped')
_CANCELLED = ('cancelled', 'canceled')
_ENDED = (*_SUCCEEDED, *_CANCELLED, 'failed')
_CANCELLING = ('cancelling', 'canceling')
_MESSAGES: dict[Outcome, str] = {
    'pushed': 'blessed and pushed',
    'withdrawn': 'blessed, but not pushed: a rollback withdrew this model',
}


def follow_run(service: Service, run: Run, *, poll_seconds: float, wait_seconds: float) -> None:
    """Wait for the end of a run, and print each change of its state and its outcome.

    Args:
        service: The service.
        run: The run.
        poll_seconds: Time between two requests.
        wait_seconds: Longest time to wait.

    Raises:
        ComponentError: If a node failed, or the run was cancelled.
        NotBlessedError: If the model is not blessed.
        OutcomeUnknownError: If the run has not ended in time, or its outcome cannot
            be read.
        ServiceError: If the service refuses a request, or fails several times in a row.
    """
    with signals.hint_on_interrupt(_continues(run)):
        _require_success(_wait(service, run, poll_seconds, wait_seconds), run)
        outcome = _retry(lambda: service.outcome(run), poll_seconds)
    if outcome == 'not_blessed':
        raise NotBlessedError('not blessed: the run pushed nothing', hint=f'see {run.url}')
    print_status(_MESSAGES[outcome])


def cancel_run(service: Service, run: Run) -> None:
    """Ask the service to stop a run, unless the run has ended or is being stopped.

    Raises:
        ServiceError: If the service refuses.
    """
    state = service.status(run).state
    if state in (*_ENDED, *_CANCELLING):
        print_status(f'nothing to cancel: the state of the run is {state}')
        return
    service.cancel(run)
    print_status(f'asked the service to cancel the run {run.id}; its state was {state}')


def _continues(run: Run) -> str:
    return f'the run continues: {run.url}; to follow it, use runs follow {run.id}'


def _wait(service: Service, run: Run, poll_seconds: float, wait_seconds: float) -> RunStatus:
    """Wait for the end of a run, and print each change of its state."""
    deadline = time.monotonic() + wait_seconds
    state = ''
    while True:
        status = _retry(lambda: service.status(run), poll_seconds)
        if status.state != state:
            state = status.state
            print_status(state)
        if state in _ENDED:
            return status
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutcomeUnknownError(
                f'the run has not ended within {wait_seconds:g} s; it is {state}',
                hint=_continues(run),
            )
        time.sleep(min(poll_seconds, left))


def _require_success(status: RunStatus, run: Run) -> None:
    if status.state in _CANCELLED:
        raise ComponentError('the run was cancelled; nothing was pushed', hint=f'see {run.url}')
    if status.state not in _SUCCEEDED:
        reason = f': {status.message.rstrip(".")}' if status.message else ''
        raise ComponentError(
            f'{" and ".join(status.failed_tasks) or "the run"} failed{reason}',
            hint=f'see the logs at {run.url}',
        )


def _retry(request: Callable[[], T], poll_seconds: float) -> T:
    """Repeat a request that fails for a reason that may pass."""
    for _ in range(_MAX_ATTEMPTS - 1):
        try:
            return request()
        except ServiceError as err:
            if not err.may_pass:
                raise
            print_status(f'{err}; trying again')
        time.sleep(poll_seconds)
    return request()
