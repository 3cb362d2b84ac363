"""What a service that runs compiled pipelines can be asked, whichever it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, Protocol

from pipeline.cloud.compiled import CompiledPipeline, Value

RunState = Literal['pending', 'running', 'succeeded', 'failed', 'cancelled']
# `withdrawn`: blessed, and not pushed, as a rollback has withdrawn this model.
Verdict = Literal['pushed', 'not_blessed', 'withdrawn']

ENDED: frozenset[RunState] = frozenset({'succeeded', 'failed', 'cancelled'})



def verdict_of(pushed: bool | None, blessed: bool | None) -> Verdict | None:
    """Return what came of a run that succeeded.

    Args:
        pushed: What its Pusher noted, None if nothing.
        blessed: What its Evaluator noted, None if nothing.

    Returns:
        None if neither says anything.
    """
    if pushed is None and blessed is None:
        return None
    if blessed and pushed is False:
        return 'withdrawn'
    return 'pushed' if (blessed if pushed is None else pushed) else 'not_blessed'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run that a service was asked for.

    Attributes:
        id: Its name for the service.
        url: Where a person can look at it.
    """

    id: str
    url: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How a run is.

    Attributes:
        state: The same words for all services.
        failed_tasks: Ids of the nodes that failed.
        message: What the service says went wrong, or an empty string.
    """

    state: RunState
    failed_tasks: tuple[str, ...] = ()
    message: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """A wish: when a pipeline runs again and again.

    Attributes:
        name: Of the schedule; there is one of a name.
        cron: Five fields, minutes first.
        time_zone: IANA name, or None for that of the service.
        max_concurrency: How many of its runs may go on at a time.
    """

    name: str
    cron: str
    time_zone: str | None
    max_concurrency: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleInfo:
    """A schedule that a service has.

    Attributes:
        name: As people see it.
        id: Its name for the service.
        cron: As the service holds it.
        active: Whether it starts runs.
        max_concurrency: How many of its runs may go on at a time.
        url: Where a person can look at it.
    """

    name: str
    id: str
    cron: str
    active: bool
    max_concurrency: int
    url: str


class Service(Protocol):
    """A place where compiled pipelines run.

    Every method raises ServiceError if the service cannot be reached, refuses or
    fails.
    """

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run now.

        Args:
            compiled: The pipeline, for this service.
            values: Of all its run-time parameters, checked.
        """

    def status(self, run: Run) -> RunStatus:
        """Ask how a run is."""

    def verdict(self, compiled: CompiledPipeline, run: Run) -> Verdict:
        """Tell what the gate made of a run that succeeded.

        Services call a run succeeded whether it pushed a model or held it back.

        Raises:
            OutcomeUnknownError: If it can't be told.
        """

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        """Create a schedule, or change the one of that name.

        Returns:
            The schedule, and whether there was one of its name.
        """

    def schedules(self) -> list[ScheduleInfo]:
        """List all schedules, sorted by name."""

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        """Delete a schedule; runs that it started go on."""
