"""The command group `schedule`: schedules of the pipeline on a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import JSON, config_of, takes
from pipeline.cli.service_options import CONNECTION, TARGET, compiles_for_service, connect_to

if TYPE_CHECKING:
    from pipeline.cloud.targets import Target


@click.group()
def schedule() -> None:
    """Create, show, pause, resume and delete schedules of the pipeline on a service."""


@schedule.command(short_help='Create or replace a schedule.')
@compiles_for_service
@click.option(
    '--cron',
    required=True,
    metavar='CRON',
    help='Cron expression (minute hour day month weekday), such as "0 3 * * *".',
)
@click.option(
    '--time-zone', metavar='ZONE', help='Time zone of --cron on Vertex AI [default: UTC].'
)
@click.option(
    '--max-concurrency',
    type=int,
    default=1,
    metavar='N',
    help='Largest number of concurrent runs [default: 1].',
)
@click.option(
    '--schedule-name',
    metavar='NAME',
    help='Name of the new schedule [default: the name of the pipeline].',
)
def create(
    *,
    target: Target,
    params: tuple[str, ...],
    cron: str,
    time_zone: str | None,
    max_concurrency: int,
    schedule_name: str | None,
    **options: Any,
) -> None:
    """Compile the pipeline, create a schedule on a service, and print its address.

    A new schedule replaces an existing one of the same name. If that one is paused, the new
    one is paused, too. Of the runs that a schedule misses, Kubeflow Pipelines starts the
    latest one later, and Vertex AI none.
    """
    service = connect_to(target, options)
    config = config_of(options)
    from pipeline.cloud.clients.scheduling import schedule_pipeline
    from pipeline.cloud.clients.service import Schedule
    from pipeline.cloud.compile import compile_for_service

    wanted = Schedule(name=schedule_name or config.name, cron=cron, max_concurrency=max_concurrency)
    compiled = compile_for_service(config, target)
    schedule_pipeline(compiled, service, params, wanted, time_zone=time_zone)


@schedule.command(name='list', short_help='List the schedules.')
@takes(TARGET, *CONNECTION, JSON)
def list_(target: Target, *, as_json: bool, **options: Any) -> None:
    """List all schedules of a service."""
    service = connect_to(target, options)
    from pipeline.cloud.clients.scheduling import list_schedules

    list_schedules(service, as_json=as_json)


@schedule.command(short_help='Show a schedule.')
@click.argument('name')
@takes(TARGET, *CONNECTION, JSON)
def show(target: Target, name: str, *, as_json: bool, **options: Any) -> None:
    """Show the schedule NAME and the run-time parameters of its runs.

    Vertex AI also tells the times of the last run and of the next one. The JSON is an array,
    as that of the command list.
    """
    service = connect_to(target, options)
    from pipeline.cloud.clients.scheduling import show_schedule

    show_schedule(service, name, as_json=as_json)


@schedule.command(short_help='Pause a schedule.')
@click.argument('name')
@takes(TARGET, *CONNECTION)
def pause(target: Target, name: str, **options: Any) -> None:
    """Pause the schedule NAME. Runs that it started continue."""
    service = connect_to(target, options)
    from pipeline.cloud.clients.scheduling import pause_schedule

    pause_schedule(service, name)


@schedule.command(short_help='Resume a paused schedule.')
@click.argument('name')
@takes(TARGET, *CONNECTION)
def resume(target: Target, name: str, **options: Any) -> None:
    """Resume the paused schedule NAME.

    Of the runs that it missed, Kubeflow Pipelines starts the latest one at once, and Vertex
    AI none.
    """
    service = connect_to(target, options)
    from pipeline.cloud.clients.scheduling import resume_schedule

    resume_schedule(service, name)


@schedule.command(short_help='Delete a schedule.')
@click.argument('name')
@takes(TARGET, *CONNECTION)
def delete(target: Target, name: str, **options: Any) -> None:
    """Delete the schedule NAME. Runs that it started continue."""
    service = connect_to(target, options)
    from pipeline.cloud.clients.scheduling import delete_schedule

    delete_schedule(service, name)
