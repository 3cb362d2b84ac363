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

    from pipeline.cloud.targets import Target
    from pipeline.config import PipelineConfig

_ROOT = click.option('--root', metavar='DIR', help='Folder for all that runs write [runs].')
_NAME = click.option('--name', metavar='NAME', help='Name of the pipeline [sentiment].')
_SERVING_DIR = click.option('--serving-dir', metavar='DIR', help='Folder for pushed versions.')
_JSON = click.option('--json', 'as_json', is_flag=True, help='Print JSON for machines.')

_CONFIG_OPTIONS = (
    click.option('--data', metavar='PATH', help='File, folder, glob, or the IMDB archive.'),
    click.option('--spans', type=int, metavar='N', help='Of the newest spans, how many [1].'),
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
    _SERVING_DIR,
    _ROOT,
    _NAME,
)

_FLAG_SETTINGS = {
    'data': 'data.path',
    'spans': 'data.spans',
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


# Of all commands that compile the pipeline.
_CLOUD_OPTIONS = (
    click.option(
        '--target', type=click.Choice(TARGETS), required=True, help='The service that it is for.'
    ),
    click.option('--image', metavar='IMAGE', help='Container image with this project.'),
    click.option('--pipeline-root', metavar='DIR', help='Folder for artifacts: gs://BUCKET/DIR.'),
)


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_config_options = _options(*_CONFIG_OPTIONS)
_cloud_options = _options(*_CLOUD_OPTIONS, *_CONFIG_OPTIONS)


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100})
def main() -> None:
    """Train, judge and ship a binary text classifier.

    Exit codes: 0 pushed or done, 1 unexpected, 2 configuration or usage,
    3 not blessed, 4 data, 5 a component failed, 6 something is not installed,
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
    except (KeyboardInterrupt, click.Abort):
        click.echo('interrupted; the same command resumes from what is complete', err=True)
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
