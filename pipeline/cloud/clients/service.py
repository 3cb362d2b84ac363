"""The interface of a service that runs compiled pipelines, and the errors of its clients."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from components.common.errors import OutcomeUnknownError, ServiceError
from components.common.secrets import mask
from components.pusher.properties import WITHDRAWN_VERSION_PROPERTY
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.kubeflow_spec import RESOLVER
from pipeline.cloud.parameters import Value
from pipeline.settings.cloud import CONTAINER_NODES

# `withdrawn`: blessed but not pushed, because a rollback withdrew this model.
Outcome = Literal['pushed', 'not_blessed', 'withdrawn']

# The tasks of a pipeline. A service lists others of its own beside them, such as drivers.
TASKS = (*CONTAINER_NODES, RESOLVER)

# Kubeflow Pipelines answers 500 if it cannot compile a specification, or if Argo refuses the
# result (backend/src/apiserver/resource/resource_manager.go, CreateRun).
_REFUSED_SPECIFICATION = re.compile('Failed to (validate workflow|generate the ExecutionSpec)')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run on a service.

    Attributes:
        id: Id on the service.
        url: Address of its page in the service's user interface.
    """

    id: str
    url: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The state of a run.

    Attributes:
        state: State in the service's own words, in lower case.
        failed_tasks: Names of the failed tasks of the pipeline, without those of the service.
        message: Error message of the service, or an empty string.
    """

    state: str
    failed_tasks: tuple[str, ...] = ()
    message: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """Repeated runs.

    Attributes:
        name: Display name.
        cron: Cron expression, which the service validates.
        max_concurrency: Largest number of concurrent runs.
        id: Id on the service; empty for a new schedule.
        active: Whether it starts runs; false if it is paused.
        url: Address of its page in the service's user interface; empty for a new schedule.
        parameters: Values of the run-time parameters of its runs.
        next_run: Time of the next run, in ISO 8601; None if the service does not tell it.
        last_run: Time of the last run, like `next_run`.
    """

    name: str
    cron: str
    max_concurrency: int = 1
    id: str = ''
    active: bool = True
    url: str = ''
    parameters: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    next_run: str | None = None
    last_run: str | None = None


class Service(Protocol):
    """A service that runs compiled pipelines.

    Every method raises ServiceError if the service cannot be reached, refuses the
    request or fails.
    """

    def submit(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], name: str | None = None
    ) -> Run:
        """Start a run with values for all run-time parameters, and a name for display."""

    def find_run(self, run_id: str) -> Run:
        """Return the run with an id."""

    def status(self, run: Run) -> RunStatus:
        """Return the current state of a run."""

    def cancel(self, run: Run) -> None:
        """Ask the service to stop a run, which then stops some time later."""

    def outcome(self, run: Run) -> Outcome:
        """Return whether a run that succeeded pushed its model.

        On a service, a run also succeeds if its model is not blessed.

        Raises:
            OutcomeUnknownError: If the outcome cannot be read.
        """

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[Schedule, bool]:
        """Create a schedule, or replace the schedules of the same name.

        If all of them are paused, the new one is paused, too.

        Returns:
            The schedule, and whether one of the same name existed.
        """

    def schedules(self) -> list[Schedule]:
        """List all schedules, sorted by name."""

    def set_schedule_active(self, schedule: Schedule, *, active: bool) -> None:
        """Resume or pause a schedule. Runs that it started continue."""

    def delete_schedule(self, schedule: Schedule) -> None:
        """Delete a schedule. Runs that it started continue."""


def outcome_of(properties: Mapping[str, Any], run: Run, *, otherwise: str) -> Outcome:
    """Return the outcome that the properties of the Pusher's output say.

    The Pusher is never cached, so its output belongs to this run.

    Raises:
        OutcomeUnknownError: If there are no such properties, for the reason `otherwise`.

    Example:
        >>> run = Run(id='1', url='http://127.0.0.1')
        >>> outcome_of({'custom:pushed': 1}, run, otherwise='there is no output')
        'pushed'
    """
    # TFX adds a prefix to the properties that the type of the artifact does not have.
    own = {name.removeprefix('custom:'): value for name, value in properties.items()}
    if 'pushed' not in own:
        raise OutcomeUnknownError(
            f'the run succeeded, but its result is unknown: {otherwise}', hint=f'see {run.url}'
        )
    if own['pushed'] == 1:
        return 'pushed'
    return 'withdrawn' if own.get(WITHDRAWN_VERSION_PROPERTY) else 'not_blessed'


def refused(service: str, status: int, message: str, *, credentials: str) -> ServiceError:
    """Return the error for an answer with an HTTP status of 400 or more.

    Args:
        service: Name and address of the service.
        status: HTTP status.
        message: Message of the service.
        credentials: Hint for wrong credentials.

    Example:
        >>> str(refused('Vertex AI', 403, 'Permission denied.', credentials='log in'))
        'Vertex AI refused the request: 403 Permission denied'
    """
    failed, hint = status >= 500, 'correct what the message of the service names'
    if _REFUSED_SPECIFICATION.search(message):
        failed, hint = False, 'change the settings that the message names; a retry does not help'
    elif failed or status == 429:
        hint = 'try again later, or ask the administrator of the service'
    elif status == 401:
        hint = f'the credentials are missing, wrong or expired: {credentials}'
    text = mask(message).strip().rstrip('.') or 'no reason given'
    return ServiceError(
        f'{service} {"failed" if failed else "refused the request"}: {status} {text}',
        hint=hint,
        may_pass=failed or status == 429,
    )


def unreachable(service: str, err: object) -> ServiceError:
    """Return the error for a service that does not answer.

    Args:
        service: Name and address of the service.
        err: Error of the client, or its message.
    """
    while isinstance(err, BaseException) and (reason := _wrapped(err)):
        err = reason
    # Some messages begin with the Python object of the connection.
    text = re.sub(r'^(HTTP|<).*?: ', '', str(err))
    return ServiceError(
        f'{service} cannot be reached: {text}',
        hint='check the address, the network and, for a port-forward, that it still runs',
        may_pass=True,
    )


def unexpected(service: str, reason: str) -> ServiceError:
    """Return the error for an answer that is not from the API of this service."""
    return ServiceError(
        f'{service} sent an unexpected answer: {mask(reason)}',
        hint='check the address: it may belong to a login page or to another service',
    )


def _wrapped(err: BaseException) -> object:
    """Return the reason that an error of requests or urllib3 wraps, or None."""
    reason = getattr(err, 'reason', None) or next(iter(err.args), None)
    return reason if isinstance(reason, BaseException) else None
