#!/usr/bin/env python3
"""The command line: parse, build the configuration, call one function, exit.

Nothing heavy is imported until a command needs it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from components.errors import (
    INTERRUPTED_EXIT_CODE,
    ConfigError,
    MissingDependencyError,
    ReviewsError,
)
from pipeline.cloud.targets import TARGETS
from pipeline.presets import DEFAULT_PRESET

try:
    import click
except ImportError:
    sys.stderr.write(
        'error: click is not installed in this Python; '
        'run `make setup`, then use .venv/bin/python\n'
    )
    sys.exit(MissingDependencyError.exit_code)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cloud.clients.connect import Connection
    from pipeline.cloud.rehearsal.engine import EngineName
    from pipeline.cloud.targets import Target
    from pipeline.config import PipelineConfig

_ROOT = click.option('--root', metavar='DIR', help='Folder for all that runs write [runs].')
_NAME = click.option('--name', metavar='NAME', help='Name of the pipeline [sentiment].')
_SERVING_DIR = click.option('--serving-dir', metavar='DIR', help='Folder for pushed versions.')
_JSON = click.option('--json', 'as_json', is_flag=True, help='Print JSON for machines.')

_CONFIG_OPTIONS = (
    click.option('--data', metavar='PATH', help='File, folder, glob, or the IMDB archive.'),
    click.option(
        '--preset', default=DEFAULT_PRESET, metavar='NAME', help=f'Start from [{DEFAULT_PRESET}].'
    ),
    click.option(
        '--config', 'config_file', type=click.Path(dir_okay=False), help='YAML file of settings.'
    ),
    click.option('--set', 'settings', multiple=True, metavar='NAME=VALUE', help='Any setting.'),
    click.option('--text-column', metavar='NAME', help='Column with the text [text].'),
    click.option('--label-column', metavar='NAME', help='Column with the label [label].'),
    click.option('--split-column', metavar='NAME', help='Column with train, val or test.'),
    click.option('--positive-label', metavar='VALUE', help='The label that means positive.'),
    _NAME,
)

_FLAG_SETTINGS = {
    'data': 'data.path',
    'text_column': 'data.columns.text_column',
    'label_column': 'data.columns.label_column',
    'split_column': 'data.columns.split_column',
    'positive_label': 'data.columns.positive_label',
    'serving_dir': 'serving_dir',
    'root': 'root',
    'name': 'name',
    'image': 'cloud.image',
    'pipeline_root': 'cloud.pipeline_root',
}


_TARGET = click.option(
    '--target', type=click.Choice(TARGETS), required=True, help='The service that it is for.'
)
_IMAGE = click.option('--image', metavar='IMAGE', help='Container image with this project.')
_PARAM = click.option(
    '--param', 'params', multiple=True, metavar='NAME=VALUE', help='A run-time parameter.'
)

# Of all commands that compile the pipeline.
_CLOUD_OPTIONS = (
    _TARGET,
    _IMAGE,
    click.option('--pipeline-root', metavar='DIR', help='Folder for artifacts: gs://BUCKET/DIR.'),
)

# Where a service is, and as whom to use it.
_SERVICE_OPTIONS = (
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

# What a run on a service takes.
_RUN_OPTIONS = (
    *_SERVICE_OPTIONS,
    _PARAM,
)


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_PLACES = (_SERVING_DIR, _ROOT)
_config_options = _options(*_CONFIG_OPTIONS, *_PLACES)
_cloud_options = _options(*_CLOUD_OPTIONS, *_CONFIG_OPTIONS, *_PLACES)
_service_options = _options(*_CLOUD_OPTIONS, *_RUN_OPTIONS, *_CONFIG_OPTIONS, *_PLACES)
# All that a rehearsal writes lies under its root.
_rehearsal_options = _options(_TARGET, _IMAGE, *_CONFIG_OPTIONS)


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100})
def main() -> None:
    """Train, judge and ship a binary text classifier.

    Exit codes: 0 pushed or done, 1 unexpected, 2 configuration or usage,
    3 not blessed, 4 data, 5 a component failed, 6 something is not installed,
    7 a service refuses or fails, 8 the outcome of a run is not known,
    130 interrupted.
    """


@main.command()
@_config_options
@_JSON
@click.option('-q', '--quiet', is_flag=True, help='Show errors only.')
@click.option('-v', '--verbose', is_flag=True, help='Show the traceback of an error.')
def run(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
    """Run the pipeline: data in, a judged and, if blessed, pushed model out."""
    config = _load_config(options)
    from pipeline.commands import run_locally

    run_locally(config, as_json=as_json, quiet=quiet, verbose=verbose)


@main.command(name='compile')
@_cloud_options
@click.option('--output', metavar='FILE', help='Where to write it; none: standard output.')
def compile_(target: Target, output: str | None, **options: Any) -> None:
    """Compile the pipeline: a PipelineJob for Vertex AI, a PipelineSpec for Kubeflow.

    Needs no network, no bucket and no credentials.
    """
    config = _load_config(options)
    from pipeline.cloud.commands import write_compiled

    write_compiled(config, target, output)


@main.command()
@_service_options
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
    config = _load_config(options)
    from pipeline.cloud.clients.commands import Waiting, submit_pipeline
    from pipeline.cloud.commands import compile_quietly

    waiting = Waiting(poll_seconds=poll, timeout_seconds=timeout) if wait else None
    submit_pipeline(compile_quietly(config, target), connection, params, waiting)


@main.command()
@_service_options
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
@_JSON
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
    from pipeline.cloud.clients import commands

    if cron is None:
        if delete is not None:
            commands.delete_schedule(connection, delete)
        else:
            commands.list_schedules(connection, as_json=as_json)
        return
    config = _load_config(options)
    from pipeline.cloud.clients.protocol import Schedule
    from pipeline.cloud.commands import compile_quietly

    wanted = commands.check_schedule(
        Schedule(
            name=schedule_name or config.name,
            cron=cron,
            time_zone=time_zone,
            max_concurrency=max_concurrency,
        ),
        target,
    )
    commands.schedule_pipeline(compile_quietly(config, target), connection, params, wanted)


@main.command()
@_rehearsal_options
@_PARAM
@click.option(
    '--engine',
    type=click.Choice(('process', 'podman', 'docker')),
    default='process',
    help='What runs the steps: this Python, or containers of the image [process].',
)
@click.option(
    '--root', default='runs/rehearsal', metavar='DIR', help='Folder for all of it [runs/rehearsal].'
)
@_JSON
@click.option('-q', '--quiet', is_flag=True, help='Show errors only.')
@click.option('-v', '--verbose', is_flag=True, help='Show the traceback of an error.')
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
    config = _load_config({**options, 'data': options['data'] or 'data/sample'})
    from pipeline.cloud.rehearsal.command import rehearse as run_rehearsal

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


@main.command()
@click.argument('texts', nargs=-1)
@click.option('--input', 'input_file', metavar='FILE', help='Texts, a line each, or a table.')
@click.option('--text-column', default='text', metavar='NAME', help='Column of a table [text].')
@_SERVING_DIR
@_ROOT
@_NAME
@_JSON
def predict(
    texts: tuple[str, ...],
    *,
    input_file: str | None,
    text_column: str,
    as_json: bool,
    **where: str | None,
) -> None:
    """Score texts (arguments, a file, standard input) with the model pushed last."""
    from pipeline.commands import print_scores, serving_location

    print_scores(texts, input_file, text_column, serving_location(**where), as_json=as_json)


@main.group()
def fetch() -> None:
    """Get a data set."""


@fetch.command()
@click.option('--output', default='aclImdb_v1.tar.gz', metavar='FILE', help='Where to keep it.')
def imdb(output: str) -> None:
    """Get the IMDB reviews (Maas et al., 2011; 80 MiB) from their official address."""
    from pipeline.commands import fetch_imdb

    fetch_imdb(output)


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@_config_options
def show(**options: Any) -> None:
    """Print the effective configuration as YAML; it can be given back with --config."""
    import yaml

    # The data may be left open: the rest can be shown without.
    options['data'] = options['data'] or 'PATH'
    click.echo(yaml.safe_dump(_load_config(options).model_dump(), sort_keys=False), nl=False)


@main.command()
@_ROOT
@_JSON
def runs(root: str | None, as_json: bool) -> None:
    """List the runs: when, on what, how good, what came of it."""
    from pipeline.commands import list_runs

    list_runs(root, as_json=as_json)


@main.command()
@_SERVING_DIR
@_ROOT
@_NAME
@_JSON
def models(as_json: bool, root: str | None, **where: str | None) -> None:
    """List the pushed versions, and which one is live."""
    from pipeline.commands import list_models, serving_location

    list_models(serving_location(root=root, **where), root, as_json=as_json)


def _load_config(options: dict[str, Any]) -> PipelineConfig:
    import pathlib

    from pipeline.config import load_config

    file = options['config_file']
    return load_config(
        preset=options['preset'],
        file=pathlib.Path(file) if file else None,
        flags={
            setting: options[option]
            for option, setting in _FLAG_SETTINGS.items()
            if options.get(option) is not None
        },
        settings=options['settings'],
    )


def _connection(target: Target, options: dict[str, Any]) -> Connection:
    from pipeline.cloud.clients.connect import Connection

    fields = ('host', 'token_file', 'namespace', 'project', 'region', 'service_account', 'network')
    return Connection(target=target, **{field: options[field] for field in fields})


def _exit_code(args: list[str] | None = None) -> int:
    """Run a command, and return what the shell is told."""
    try:
        main.main(args=args, prog_name='pipeline_runner.py', standalone_mode=False)
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.ClickException as err:
        err.show()
        return ConfigError.exit_code
    except ReviewsError as err:
        click.echo(f'error: {err}' + (f'; {err.hint}' if err.hint else ''), err=True)
        if err.log:
            click.echo(f'log: {err.log}', err=True)
        return err.exit_code
    except (KeyboardInterrupt, click.Abort) as err:
        # click puts its own in place of the interrupt, which may say what goes on.
        told = [str(error) for error in (err, err.__cause__) if error and str(error)]
        next_step = told[0] if told else 'the same command resumes from what is complete'
        click.echo(f'interrupted; {next_step}', err=True)
        return INTERRUPTED_EXIT_CODE
    except ModuleNotFoundError as err:
        click.echo(f'error: {err}; run `make setup`, then use .venv/bin/python', err=True)
        return MissingDependencyError.exit_code
    return 0


if __name__ == '__main__':
    code = _exit_code()
    sys.stdout.flush()
    sys.stderr.flush()
    # All files are closed. Taking TensorFlow down in good order would cost 2 s more.
    os._exit(code)
