"""Schedules runs of a compiled pipeline on a service."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from components.common.errors import ConfigError
from pipeline.cloud.clients.service import Schedule, Service
from pipeline.cloud.clients.status_line import print_status
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.terminal.json_output import print_json


def schedule_pipeline(
    compiled: CompiledPipeline,
    service: Service,
    assignments: Sequence[str],
    schedule: Schedule,
    *,
    time_zone: str | None = None,
) -> None:
    """Create a schedule, or replace the one of the same name, and print its address.

    Args:
        compiled: The pipeline.
        service: The service.
        assignments: Run-time parameters as `NAME=VALUE`.
        schedule: The schedule.
        time_zone: Time zone of the cron expression, for Vertex AI; None for its default.

    Raises:
        ConfigError: If a parameter is wrong, or the service has no time zones.
        ServiceError: If the service refuses.
    """
    if time_zone is not None:
        if compiled.target == 'kubeflow':
            raise ConfigError(
                f'--time-zone does not apply to --target kubeflow, got {time_zone!r}',
                hint='Kubeflow Pipelines has one time zone for all schedules '
                '(CRON_SCHEDULE_TIMEZONE of its controller); change --cron instead',
            )
        schedule = dataclasses.replace(schedule, cron=f'TZ={time_zone} {schedule.cron}')
    values = compiled.parameter_values(assignments)
    info, existed = service.put_schedule(compiled, values, schedule)
    print(info.url, flush=True)
    print_status(f'{"replaced" if existed else "created"} the schedule {info.name}: {info.cron}')


def list_schedules(service: Service, *, as_json: bool) -> None:
    """Print all schedules of a service, one per line or as JSON."""
    found = service.schedules()
    if as_json:
        print_json([dataclasses.asdict(info) for info in found])
        return
    for info in found:
        state = 'active' if info.active else 'paused'
        print(f'{info.name}\t{info.cron}\t{state}\t{info.url}')


def delete_schedule(service: Service, name: str) -> None:
    """Delete all schedules of a name.

    Raises:
        ConfigError: If there is none.
    """
    found = service.schedules()
    named = [info for info in found if info.name == name]
    if not named:
        names = ', '.join(dict.fromkeys(info.name for info in found))
        raise ConfigError(
            f'there is no schedule {name!r}',
            hint=f'the schedules are {names}' if names else 'the service has no schedules',
        )
    for info in named:
        service.delete_schedule(info)
    print_status(f'deleted the schedule {name}')
