"""The command group `runs`: list local runs, and follow or cancel a run on a service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from components.common.errors import DataError
from pipeline.cli.options import JSON, ROOT, root_path, takes
from pipeline.cli.service_options import CONNECTION, FOLLOWING, TARGET, connect_to

if TYPE_CHECKING:
    from pipeline.cloud.targets import Target


def _require_id(context: click.Context, parameter: click.Parameter, value: str) -> str:
    # Without one, a service lists its runs.
    if not value.strip():
        raise click.BadParameter('expected the id of a run, got an empty text')
    return value


RUN_ID = click.argument('run_id', metavar='RUN', callback=_require_id)


@click.group(invoke_without_command=True)
@takes(ROOT, JSON)
@click.pass_context
def runs(context: click.Context, /, **local: Any) -> None:
    """List local runs, and follow or cancel a run on a service (default: list)."""
    if context.invoked_subcommand is None:
        context.invoke(list_runs, **local)
    elif context.invoked_subcommand == 'list':
        # The options before the subcommand are the defaults of those after it.
        context.default_map = {'list': local}
    elif any(local.values()):
        raise click.UsageError('--root and --json apply to local runs only: runs list')


@runs.command(name='list', short_help='List the runs of this machine.')
@takes(ROOT, JSON)
def list_runs(root: str | None, as_json: bool) -> None:
    """List all runs of a root, with their start time, data, metrics and result."""
    from pipeline.results.outcome import load_records
    from pipeline.terminal.console import print_runs
    from pipeline.terminal.json_output import print_json

    folder = root_path(root)
    records = load_records(folder)
    if as_json:
        print_json([record.to_json() for record in records])
    elif not records:
        raise DataError(f'no run below {folder}', hint='start a run, or pass its --root')
    else:
        print_runs(records, sys.stdout)


@runs.command(short_help='Wait for the end of a run on a service.')
@RUN_ID
@takes(TARGET, *CONNECTION, *FOLLOWING)
def follow(target: Target, *, run_id: str, poll: float, timeout: float, **options: Any) -> None:
    """Wait for the end of a run on a service; the exit code shows its result.

    The command prints the address and the states of the run, and ends as submit --wait
    does. RUN is the id of a run, which is a part of its address.
    """
    service = connect_to(target, options)
    from pipeline.cloud.clients.following import follow_run

    run = service.find_run(run_id)
    print(run.url, flush=True)
    follow_run(service, run, poll_seconds=poll, wait_seconds=timeout)


@runs.command(short_help='Ask a service to stop a run.')
@RUN_ID
@takes(TARGET, *CONNECTION)
def cancel(target: Target, *, run_id: str, **options: Any) -> None:
    """Ask a service to stop a run. If the run has ended, the command prints its state.

    RUN is the id of a run, which is a part of its address.
    """
    service = connect_to(target, options)
    from pipeline.cloud.clients.following import cancel_run

    cancel_run(service, service.find_run(run_id))
