"""The commands for Kubeflow Pipelines and Vertex AI: compile, rehearse, submit, schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from components.common.errors import ConfigError
from pipeline.cli.options import JSON, QUIET, SETTINGS, VERBOSE, config_of, takes
from pipeline.cloud.targets import TARGETS

if TYPE_CHECKING:
    from pipeline.cloud.clients.service import Service
    from pipeline.cloud.rehearsal.engines import EngineName
    from pipeline.cloud.targets import Target

_TARGET = click.option(
    '--target',
    type=click.Choice(TARGETS),
    required=True,
    help='Service that the pipeline is compiled for.',
)
_IMAGE = click.option(
    '--image', metavar='IMAGE', help='Container image that contains this project.'
)
_PIPELINE_ROOT = click.option(
    '--pipeline-root',
    metavar='DIR',
    help='Folder for the artifacts: gs://, or on Kubeflow also s3:// or minio:// '
    '[Kubeflow: default of the cluster].',
)
_PLACES = (
    click.option(
        '--serving-dir', metavar='DIR', help='Folder for pushed versions, such as gs://BUCKET/DIR.'
    ),
    click.option(
        '--root',
        metavar='DIR',
        help='Folder for the outputs of local runs; this command does not use it.',
    ),
)
_PARAM = click.option(
    '--param',
    'params',
    multiple=True,
    metavar='NAME=VALUE',
    help='Set a run-time parameter, such as epochs=5. Repeatable.',
)
_CONNECTION = (
    click.option(
        '--host',
        metavar='URL',
        help='Address of the API of the service; required for Kubeflow Pipelines.',
    ),
    click.option(
        '--token-file',
        metavar='FILE',
        help='File with the token for Kubeflow Pipelines [default: the variable KFP_TOKEN].',
    ),
    click.option('--namespace', metavar='NAME', help='Kubeflow namespace of the runs.'),
    click.option('--project', metavar='ID', help='Google Cloud project.'),
    click.option('--region', metavar='REGION', help='Google Cloud region, such as europe-west4.'),
    click.option('--service-account', metavar='NAME', help='Service account that the runs use.'),
    click.option('--network', metavar='NAME', help='VPC network that Vertex AI is peered with.'),
)

_compiles = takes(_TARGET, _IMAGE, _PIPELINE_ROOT, *SETTINGS, *_PLACES)
_uses_service = takes(_TARGET, _IMAGE, _PIPELINE_ROOT, *_CONNECTION, _PARAM, *SETTINGS, *_PLACES)


@click.command(name='compile', short_help='Compile the pipeline for a service.')
@_compiles
@click.option(
    '--output',
    type=click.File('w', encoding='utf-8', lazy=True),
    default='-',
    metavar='FILE',
    help='File to write [default: standard output].',
)
def compile_(target: Target, output: TextIO, **options: Any) -> None:
    """Compile the pipeline to a file for Kubeflow Pipelines (YAML) or Vertex AI (JSON).

    The command needs no network, no bucket and no credentials.
    """
    config = config_of(options)
    from pipeline.cloud.compile import compile_for_service

    output.write(compile_for_service(config, target).text())


@click.command(short_help='Run the compiled pipeline on this machine.')
@takes(_TARGET, _IMAGE, *SETTINGS, _PARAM)
@click.option(
    '--engine',
    type=click.Choice(('process', 'podman', 'docker')),
    default='process',
    help='Run each step as a process, or in a container of the image [default: process].',
)
@click.option(
    '--root',
    default='runs/rehearsal',
    metavar='DIR',
    help='Folder for the outputs of all rehearsals [default: runs/rehearsal].',
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
    """Run the compiled pipeline on this machine, with an emulation of the service.

    Without --data, the pipeline runs on a small part of the sample data. The root folder
    keeps the cache and the pushed models for the next rehearsal.
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


@click.command(short_help='Compile the pipeline, and start a run on a service.')
@_uses_service
@click.option(
    '--wait', is_flag=True, help='Wait for the end of the run; the exit code shows its result.'
)
@click.option(
    '--poll',
    type=click.FloatRange(min=1),
    default=15,
    metavar='SECONDS',
    help='With --wait: time between two requests [default: 15].',
)
@click.option(
    '--timeout',
    type=click.FloatRange(min=1),
    default=86_400,
    metavar='SECONDS',
    help='With --wait: longest time to wait [default: 86400].',
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
    """Compile the pipeline, start a run on a service, and print the address of the run."""
    service = _connect(target, options)
    config = config_of(options)
    from pipeline.cloud.clients.submission import submit_pipeline
    from pipeline.cloud.compile import compile_for_service

    submit_pipeline(
        compile_for_service(config, target),
        service,
        params,
        poll_seconds=poll,
        wait_seconds=timeout if wait else None,
    )


@click.command(short_help='Create, list or delete schedules on a service.')
@_uses_service
@click.option(
    '--cron',
    metavar='CRON',
    help='Create a schedule with this cron expression (minute hour day month weekday), such as '
    '"0 3 * * *".',
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
@click.option('--list', 'show', is_flag=True, help='List all schedules.')
@click.option('--delete', metavar='NAME', help='Delete the schedule NAME.')
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
    """Create, list or delete schedules of the pipeline on a service.

    Pass exactly one of --cron, --list and --delete. A new schedule replaces an existing one
    of the same name. The service does not catch up on missed runs.
    """
    if (cron is not None) + show + (delete is not None) != 1:
        raise ConfigError(
            'expected exactly one of --cron, --list and --delete',
            hint='pass one of them, for example --cron "0 3 * * *"',
        )
    service = _connect(target, options)
    from pipeline.cloud.clients import submission

    if cron is None:
        if delete is not None:
            submission.delete_schedule(service, delete)
        else:
            submission.list_schedules(service, as_json=as_json)
        return
    config = config_of(options)
    from pipeline.cloud.clients.service import Schedule
    from pipeline.cloud.compile import compile_for_service

    wanted = Schedule(name=schedule_name or config.name, cron=cron, max_concurrency=max_concurrency)
    compiled = compile_for_service(config, target)
    submission.schedule_pipeline(compiled, service, params, wanted, time_zone=time_zone)


def _connect(target: Target, options: dict[str, Any]) -> Service:
    from pipeline.cloud.clients.connection import connect
    from pipeline.cloud.clients.submission import print_status

    names = ('host', 'token_file', 'namespace', 'project', 'region', 'service_account', 'network')
    return connect(target, {name: options[name] for name in names}, print_status)


COMMANDS = (compile_, rehearse, submit, schedule)
