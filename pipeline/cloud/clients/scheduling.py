"""Creates, shows, pauses, resumes and deletes schedules of a compiled pipeline on a service."""

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

    A schedule that was paused stays paused.

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
    if not info.active:
        print_status(f'the schedule is paused; `schedule resume {info.name}` resumes it')


def list_schedules(service: Service, *, as_json: bool) -> None:
    """Print all schedules of a service, one per line or as JSON."""
    found = service.schedules()
    if as_json:
        print_json([dataclasses.asdict(info) for info in found])
        return
    for info in found:
        print(f'{info.name}\t{info.cron}\t{_state(info)}\t{info.url}')


def show_schedule(service: Service, name: str, *, as_json: bool) -> None:
    """Print all schedules of a name, as lines or as JSON like that of `list_schedules`.

    Raises:
        ConfigError: If there is none.
    """
    found = _named(service, name)
    if as_json:
        print_json([dataclasses.asdict(info) for info in found])
        return
    for info in found:
        print(f'name: {info.name}')
        print(f'state: {_state(info)}')
        print(f'cron: {info.cron}')
        print(f'max concurrency: {info.max_concurrency}')
        for parameter, value in sorted(info.parameters.items()):
            print(f'parameter: {parameter}={value}')
        if info.next_run:
            print(f'next run: {info.next_run}')
        if info.last_run:
            print(f'last run: {info.last_run}')
        print(f'id: {info.id}')
        print(f'address: {info.url}')


def pause_schedule(service: Service, name: str) -> None:
    """Pause all schedules of a name. Runs that they started continue.

    Raises:
        ConfigError: If there is none.
    """
    _set_active(service, name, active=False)


def resume_schedule(service: Service, name: str) -> None:
    """Resume all schedules of a name.

    Raises:
        ConfigError: If there is none.
    """
    _set_active(service, name, active=True)


def delete_schedule(service: Service, name: str) -> None:
    """Delete all schedules of a name.

    Raises:
        ConfigError: If there is none.
    """
    for info in _named(service, name):
        service.delete_schedule(info)
    print_status(f'deleted the schedule {name}')


def _set_active(service: Service, name: str, *, active: bool) -> None:
    changed = [info for info in _named(service, name) if info.active is not active]
    for info in changed:
        service.set_schedule_active(info, active=active)
    if changed:
        print_status(f'{"resumed" if active else "paused"} the schedule {name}')
    else:
        print_status(f'the schedule {name} is already {"active" if active else "paused"}')


def _named(service: Service, name: str) -> list[Schedule]:
    """Return the schedules of a name, at least one."""
    found = service.schedules()
    named = [info for info in found if info.name == name]
    if not named:
        names = ', '.join(dict.fromkeys(info.name for info in found))
        raise ConfigError(
            f'there is no schedule {name!r}',
            hint=f'the schedules are {names}' if names else 'the service has no schedules',
        )
    return named


def _state(info: Schedule) -> str:
    return 'active' if info.active else 'paused'
