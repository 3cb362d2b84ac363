"""What `submit` and `schedule` do, once their words are parsed and the pipeline is compiled."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Sequence

from components.common.errors import ConfigError, NotBlessedError
from pipeline.cloud.clients.connection import Connection, connect
from pipeline.cloud.clients.cron import check_cron, check_time_zone
from pipeline.cloud.clients.follow import follow
from pipeline.cloud.clients.protocol import Schedule
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.targets import Target
from pipeline.process import signals
from pipeline.terminal.json_output import print_json

_UTC = frozenset({'UTC', 'Etc/UTC'})
_DEFAULT_ZONES: dict[Target, str] = {
    'kubeflow': 'in the time zone of the cluster, UTC by default',
    'vertex': 'UTC',
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiting:
    """How a run is followed.

    Attributes:
        poll_seconds: Time between two questions.
        timeout_seconds: How long to wait at most.
    """

    poll_seconds: float
    timeout_seconds: float


def submit_pipeline(
    compiled: CompiledPipeline,
    connection: Connection,
    assignments: Sequence[str],
    waiting: Waiting | None,
) -> None:
    """Start a run, print its address, and follow it if wanted.

    Args:
        compiled: The pipeline.
        connection: Where it is to run.
        assignments: Run-time parameters as `NAME=VALUE`.
        waiting: How to follow it; None to leave it alone.

    Raises:
        NotBlessedError: If it was followed, and pushed nothing.
        ReviewsError: If anything is wrong, before or after the run has begun.
    """
    values = compiled.parameter_values(assignments)
    service = connect(connection, _say)
    run = service.submit(compiled, values)
    print(run.url, flush=True)
    if waiting is None:
        return
    with signals.resuming(f'the run goes on: {run.url}'):
        verdict = follow(
            service,
            compiled,
            run,
            say=_say,
            poll_seconds=waiting.poll_seconds,
            timeout_seconds=waiting.timeout_seconds,
        )
    if verdict == 'not_blessed':
        raise NotBlessedError('not blessed: the run pushed nothing', hint=f'see {run.url}')
    if verdict == 'withdrawn':
        _say('blessed, but withdrawn by a rollback: not pushed again')
        return
    _say('blessed, and pushed')


def check_schedule(schedule: Schedule, target: Target) -> Schedule:
    """Return a schedule that the service will take, with its cron expression tidied.

    Raises:
        ConfigError: If its expression or time zone is not one, or not for the service.
    """
    if schedule.time_zone is not None:
        check_time_zone(schedule.time_zone)
        if target == 'kubeflow' and schedule.time_zone not in _UTC:
            raise ConfigError(
                'Kubeflow Pipelines has one time zone for all schedules, got --time-zone '
                f'{schedule.time_zone}',
                hint='leave it out: it is UTC, unless the administrator of the cluster has set '
                'CRON_SCHEDULE_TIMEZONE for ml-pipeline-scheduledworkflow',
            )
    return dataclasses.replace(schedule, cron=check_cron(schedule.cron))


def schedule_pipeline(
    compiled: CompiledPipeline,
    connection: Connection,
    assignments: Sequence[str],
    schedule: Schedule,
) -> None:
    """Create a schedule, or change the one of its name, and print its address.

    Args:
        compiled: The pipeline.
        connection: Where it is to run.
        assignments: Run-time parameters as `NAME=VALUE`.
        schedule: When; it was checked.

    Raises:
        ReviewsError: If a parameter is wrong, or the service refuses.
    """
    values = compiled.parameter_values(assignments)
    info, existed = connect(connection, _say).put_schedule(compiled, values, schedule)
    print(info.url, flush=True)
    zone = schedule.time_zone or _DEFAULT_ZONES[connection.target]
    _say(f'{"changed" if existed else "created"} the schedule {info.name}: {info.cron}, {zone}')


def list_schedules(connection: Connection, *, as_json: bool) -> None:
    """Print all schedules of a service, a line for each."""
    found = connect(connection, _say).schedules()
    if as_json:
        print_json([dataclasses.asdict(info) for info in found])
        return
    for info in found:
        state = 'active' if info.active else 'paused'
        print(f'{info.name}\t{info.cron}\t{state}\t{info.url}')


def delete_schedule(connection: Connection, name: str) -> None:
    """Delete all schedules of a name.

    Raises:
        ConfigError: If there is none.
    """
    service = connect(connection, _say)
    found = service.schedules()
    named = [info for info in found if info.name == name]
    if not named:
        names = ', '.join(dict.fromkeys(info.name for info in found))
        raise ConfigError(
            f'no schedule is called {name!r}',
            hint=f'there are {names}' if names else 'there is none at all',
        )
    for info in named:
        service.delete_schedule(info)
    _say(f'deleted the schedule {name}')


def _say(line: str) -> None:
    now = datetime.datetime.now().strftime('%H:%M:%S')
    print(f'{now} {line}', file=sys.stderr, flush=True)
