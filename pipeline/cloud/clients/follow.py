"""Follows a run on a service to its end, and tells what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from components.common.errors import ComponentError, OutcomeUnknownError, ServiceError
from pipeline.cloud.clients.protocol import ENDED, Run, RunState, RunStatus, Service, Verdict
from pipeline.cloud.compiled import CompiledPipeline

T = TypeVar('T')

# A service that is being updated, or a port-forward that is renewed, is back by then.
_MAX_FAILURES = 5


def follow(
    service: Service,
    compiled: CompiledPipeline,
    run: Run,
    *,
    say: Callable[[str], None],
    poll_seconds: float,
    timeout_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until a run has ended.

    Args:
        service: Where it runs.
        compiled: What runs.
        run: The run.
        say: Is given a line for each change of state.
        poll_seconds: Time between two questions.
        timeout_seconds: How long to wait at most.
        sleep: Waits.

    Returns:
        What the gate decided.

    Raises:
        ComponentError: If a node failed, or the run was cancelled.
        OutcomeUnknownError: If the run has not ended in time, or it can't be told
            whether it pushed.
        ServiceError: If the service refuses, or fails several times in a row.
    """
    patience = _Patience(say, poll_seconds, sleep)
    status = _wait(service, run, patience, timeout_seconds)
    if status.state == 'cancelled':
        raise ComponentError('the run was cancelled, and pushed nothing')
    if status.state == 'failed':
        tasks = set(compiled.spec.get('root', {}).get('dag', {}).get('tasks', {}))
        failed = [task for task in status.failed_tasks if task in tasks]
        reason = f': {status.message}' if status.message else ''
        raise ComponentError(
            f'{" and ".join(failed) or "the run"} failed{reason}', hint=f'see the logs at {run.url}'
        )
    return patience.ask(lambda: service.verdict(compiled, run))


class _Patience:
    """Asks a service again that fails for a while."""

    def __init__(
        self, say: Callable[[str], None], poll_seconds: float, sleep: Callable[[float], None]
    ) -> None:
        self.say = say
        self.poll_seconds = poll_seconds
        self.sleep = sleep

    def ask(self, question: Callable[[], T]) -> T:
        for _ in range(_MAX_FAILURES - 1):
            try:
                return question()
            except ServiceError as err:
                if not err.may_pass:
                    raise
                self.say(f'{err}; asking again')
            self.sleep(self.poll_seconds)
        return question()


def _wait(service: Service, run: Run, patience: _Patience, timeout_seconds: float) -> RunStatus:
    deadline = time.monotonic() + timeout_seconds
    state: RunState | None = None
    while True:
        status = patience.ask(lambda: service.status(run))
        if status.state != state:
            state = status.state
            patience.say(state)
        if state in ENDED:
            return status
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutcomeUnknownError(
                f'the run has not ended within {timeout_seconds:g} s; it is {state}',
                hint=f'it goes on: {run.url}',
            )
        patience.sleep(min(patience.poll_seconds, left))
