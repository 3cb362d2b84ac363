"""The commands about compiled pipelines: parse, build the configuration, call one function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from components.common.errors import ConfigError
from pipeline.cli.options import JSON, PLACES, QUIET, SETTINGS, VERBOSE, config_of, takes
from pipeline.cloud.targets import TARGETS

if TYPE_CHECKING:
    from pipeline.cloud.clients.connection import Connection
    from pipeline.cloud.rehearsal.engine import EngineName
    from pipeline.cloud.targets import Target

_TARGET = click.option(
    '--target', type=click.Choice(TARGETS), required=True, help='The service that it is for.'
)
_IMAGE = click.option('--image', metavar='IMAGE', help='Container image with this project.')
_PIPELINE_ROOT = click.option(
    '--pipeline-root', metavar='DIR', help='Folder for artifacts: gs://BUCKET/DIR.'
)
_PARAM = click.option(
    '--param', 'params', multiple=True, metavar='NAME=VALUE', help='A run-time parameter.'
)
# Where a service is, and as whom to use it.
_CONNECTION = (
    click.option('--host', metavar='URL', help='Address of Kubeflow Pipelines.'),
    click.option(
        '--token-file', metavar='FILE', help='File with the token for it; else KFP_TOKEN is used.'
    ),
    click.option('--namespace', metavar='NAME', help='Of the user, in a Kubeflow of several.'),
    click.option('--project', metavar='ID', help='Google Cloud project, for Vertex AI.'),
    click.option('--region', metavar='REGION', help='Of Google Cloud, as europe-west4.'),
    click.option('--service-account', metavar='NAME', help='That the runs are executed as.'),
    click.option('--network', metavar='NAME', help='VPC network to peer with, for Vertex AI.'),
)

_compiles = takes(_TARGET, _IMAGE, _PIPELINE_ROOT, *SETTINGS, *PLACES)
_uses_service = takes(_TARGET, _IMAGE, _PIPELINE_ROOT, *_CONNECTION, _PARAM, *SETTINGS, *PLACES)
# All that a rehearsal writes lies under its root.
_rehearses = takes(_TARGET, _IMAGE, *SETTINGS, _PARAM)


@click.command(name='compile')
@_compiles
@click.option('--output', metavar='FILE', help='Where to write it; none: standard output.')
def compile_(target: Target, output: str | None, **options: Any) -> None:
    """Compile the pipeline: a PipelineJob for Vertex AI, a PipelineSpec for Kubeflow.

    Needs no network, no bucket and no credentials.
    """
    config = config_of(options)
    from pipeline.cloud.compile_command import write_compiled

    write_compiled(config, target, output)


@click.command()
@_rehearses
@click.option(
    '--engine',
    type=click.Choice(('process', 'podman', 'docker')),
    default='process',
    help='What runs the steps: this Python, or containers of the image [process].',
)
@click.option(
    '--root', default='runs/rehearsal', metavar='DIR', help='Folder for all of it [runs/rehearsal].'
)
@JSON
@QUIET
@VERBOSE
def rehearse(
    target: Target,
    *,
    engine: EngineName,
    params: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Run the compiled pipeline on this machine, playing the service that it is for.

    Without --data, on a small cut of the sample. What the service keeps is kept
    in the root: a second rehearsal finds a cache and a baseline.
    """
    sample = options['data'] is None
    config = config_of({**options, 'data': options['data'] or 'data/sample'})
    from pipeline.cloud.rehearsal.rehearse import rehearse as run_rehearsal

    run_rehearsal(
        config,
        target,
        engine_name=engine,
        assignments=params,
        sample=sample,
        as_json=as_json,
        quiet=quiet,
        verbose=verbose,
    )


@click.command()
@_uses_service
@click.option('--wait', is_flag=True, help='Follow the run; the exit code is its outcome.')
@click.option(
    '--poll',
    type=click.FloatRange(1, 600),
    default=15,
    metavar='SECONDS',
    help='How often to ask, with --wait [15].',
)
@click.option(
    '--timeout',
    type=click.FloatRange(1, 30 * 86_400),
    default=86_400,
    metavar='SECONDS',
    help='How long to wait at most [86400].',
)
def submit(
    *,
    target: Target,
    params: tuple[str, ...],
    wait: bool,
    poll: float,
    timeout: float,
    **options: Any,
) -> None:
    """Compile the pipeline, start a run on a service, and print its address."""
    connection = _connection(target, options)
    config = config_of(options)
    from pipeline.cloud.clients.submission import Waiting, submit_pipeline
    from pipeline.cloud.compile_command import compile_quietly

    waiting = Waiting(poll_seconds=poll, timeout_seconds=timeout) if wait else None
    submit_pipeline(compile_quietly(config, target), connection, params, waiting)


@click.command()
@_uses_service
@click.option('--cron', metavar='CRON', help='When to run: five fields, as "0 3 * * *".')
@click.option('--time-zone', metavar='ZONE', help='Of --cron, as Europe/Berlin [UTC].')
@click.option(
    '--max-concurrency',
    type=click.IntRange(1, 10),
    default=1,
    metavar='N',
    help='How many of its runs may go on at a time [1].',
)
@click.option('--schedule-name', metavar='NAME', help="Of the schedule [the pipeline's].")
@click.option('--list', 'show', is_flag=True, help='List all schedules instead.')
@click.option('--delete', metavar='NAME', help='Delete the schedule of this name instead.')
@JSON
def schedule(
    *,
    target: Target,
    params: tuple[str, ...],
    cron: str | None,
    time_zone: str | None,
    max_concurrency: int,
    schedule_name: str | None,
    show: bool,
    delete: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run the pipeline on a service again and again, without catching up.

    Creates the schedule, or changes the one of its name; its address is printed.
    """
    if (cron is not None) + show + (delete is not None) != 1:
        raise ConfigError('expected one of --cron, --list and --delete')
    connection = _connection(target, options)
    from pipeline.cloud.clients import submission

    if cron is None:
        if delete is not None:
            submission.delete_schedule(connection, delete)
        else:
            submission.list_schedules(connection, as_json=as_json)
        return
    config = config_of(options)
    from pipeline.cloud.clients.protocol import Schedule
    from pipeline.cloud.compile_command import compile_quietly

    wanted = submission.check_schedule(
        Schedule(
            name=schedule_name or config.name,
            cron=cron,
            time_zone=time_zone,
            max_concurrency=max_concurrency,
        ),
        target,
    )
    submission.schedule_pipeline(compile_quietly(config, target), connection, params, wanted)


def _connection(target: Target, options: dict[str, Any]) -> Connection:
    from pipeline.cloud.clients.connection import Connection

    fields = ('host', 'token_file', 'namespace', 'project', 'region', 'service_account', 'network')
    return Connection(target=target, **{field: options[field] for field in fields})


COMMANDS = (compile_, rehearse, submit, schedule)
