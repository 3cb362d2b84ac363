"""The interface of a service that runs compiled pipelines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, Protocol

from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value

RunState = Literal['pending', 'running', 'succeeded', 'failed', 'cancelled']
# `withdrawn`: blessed but not pushed, because a rollback withdrew this model.
Outcome = Literal['pushed', 'not_blessed', 'withdrawn']


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
        state: The same states for all services.
        failed_tasks: Names of the tasks that failed.
        message: Error message of the service, or an empty string.
    """

    state: RunState
    failed_tasks: tuple[str, ...] = ()
    message: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """A request for repeated runs.

    Attributes:
        name: Name of the schedule, unique on the service.
        cron: Cron expression, which the service validates.
        time_zone: IANA name of the time zone; None for the default of the service.
        max_concurrency: Number of concurrent runs.
    """

    name: str
    cron: str
    time_zone: str | None = None
    max_concurrency: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleInfo:
    """A schedule that exists on a service.

    Attributes:
        name: Display name.
        id: Id on the service.
        cron: Cron expression as the service stores it.
        active: Whether it starts runs.
        max_concurrency: Number of concurrent runs.
        url: Address of its page in the service's user interface.
    """

    name: str
    id: str
    cron: str
    active: bool
    max_concurrency: int
    url: str


class Service(Protocol):
    """A service that runs compiled pipelines.

    Every method raises ServiceError if the service cannot be reached, refuses the
    request or fails.
    """

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run.

        Args:
            compiled: A pipeline that was compiled for this service.
            values: Values of all its run-time parameters.
        """

    def status(self, run: Run) -> RunStatus:
        """Return the current state of a run."""

    def outcome(self, compiled: CompiledPipeline, run: Run) -> Outcome:
        """Return whether a run that succeeded pushed its model.

        On a service, a run also succeeds if its model is not blessed.

        Raises:
            OutcomeUnknownError: If the outcome cannot be read.
        """

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        """Create a schedule, or replace the schedules of the same name.

        Returns:
            The schedule, and whether one of the same name existed.
        """

    def schedules(self) -> list[ScheduleInfo]:
        """List all schedules, sorted by name."""

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        """Delete a schedule. Runs that it started continue."""
