#!/usr/bin/env python3
"""The command line: parse, build the configuration, call one function, exit.

Nothing heavy is imported until a command needs it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from components.errors import ConfigError, MissingDependencyError, ReviewsError

try:
    import click
except ImportError:
    sys.stderr.write(
        'error: click is not installed in this Python; '
        'run `make setup`, then use .venv/bin/python\n'
    )
    sys.exit(MissingDependencyError.exit_code)

from components.secrets import mask
from pipeline import interrupts
from pipeline.cloud.cli import COMMANDS
from pipeline.options import (
    AGAIN,
    COMPARE,
    CONFIG_FILE,
    JSON,
    NAME,
    NO_DATA,
    OPEN,
    OUTPUT,
    PLACES,
    QUIET,
    ROOT,
    SERVING_DIR,
    SET,
    SETTINGS,
    VERBOSE,
    VERSIONS,
    config_of,
    given,
    metadata_named,
    takes,
)


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100})
def main() -> None:
    """Train, judge and ship a binary text classifier.

    Exit codes: 0 pushed or done, 1 unexpected, 2 configuration or usage,
    3 not blessed, 4 data, 5 a component failed, 6 something is not installed,
    7 a service refuses or fails, 8 the outcome of a run is not known,
    9 what earlier runs keep is damaged, 130 interrupted, 143 terminated.
    """


@main.command()
@takes(*SETTINGS, *PLACES)
@AGAIN
@JSON
@QUIET
@VERBOSE
@click.option('--wait', is_flag=True, help='Wait if another run of this pipeline is under way.')
def run(
    *,
    again: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    wait: bool,
    **options: Any,
) -> None:
    """Run the pipeline: data in, a judged and, if blessed, pushed model out.

    If another run of the same --root and --name is under way, it is refused.
    """
    config = config_of(options)
    from pipeline.commands import run_locally

    run_locally(
        config, again=again, as_json=as_json, quiet=quiet, verbose=verbose, wait=wait
    )


@main.command()
@click.argument('texts', nargs=-1)
@click.option('--input', 'input_file', metavar='FILE', help='Texts, a line each, or a table.')
@click.option('--text-column', default='text', metavar='NAME', help='Column of a table [text].')
@click.option('--explain', is_flag=True, help='Show which words moved each score, and how far.')
@click.option(
    '--output',
    'output_file',
    metavar='FILE',
    help='Write the table with its scores: .csv, .tsv, .jsonl, also .gz.',
)
@click.option(
    '--label-column', default='label', metavar='NAME', help='Column to add to it [label].'
)
@click.option(
    '--probability-column', default='probability', metavar='NAME', help='The same [probability].'
)
@SERVING_DIR
@ROOT
@NAME
@JSON
def predict(
    texts: tuple[str, ...],
    *,
    label_column: str,
    probability_column: str,
    root: str | None,
    name: str | None,
    serving_dir: str | None,
    **what: Any,
) -> None:
    """Score texts (arguments, a file, standard input) with the model pushed last.

    With --output, a table of any size is scored as a stream. Its columns stay as
    they are, and label and probability (of the positive label) are added; it is
    an error if it has columns of these names. A row without a text keeps both
    empty; a row that cannot be read is an error, and nothing is written then.
    """
    from pipeline.commands import serving_location
    from pipeline.predict.command import Request, predict
    from pipeline.predict.writing import Columns

    request = Request(texts=texts, columns=Columns(label_column, probability_column), **what)
    predict(request, serving_location(root=root, name=name, serving_dir=serving_dir))


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
@takes(*SETTINGS, *PLACES)
def show(**options: Any) -> None:
    """Print all settings, and what each means, as YAML that --config takes."""
    # The data may be left open: the rest can be shown without.
    config = config_of(options, data=NO_DATA)
    from pipeline.settings_text import text_of

    click.echo(text_of(config), nl=False)


@main.command()
@ROOT
@JSON
def runs(root: str | None, as_json: bool) -> None:
    """List the runs: when, on what, how good, what came of it."""
    from pipeline.commands import list_runs

    list_runs(root, as_json=as_json)


@main.command()
@click.argument('runs', nargs=-1, metavar='[RUN]...')
@COMPARE
@OPEN
@OUTPUT
@ROOT
def report(runs: tuple[str, ...], **options: Any) -> None:
    """Make the page of a run, or open the one that the run has made (default: the latest)."""
    from pipeline.report.command import print_report

    print_report(runs, **options)


@main.group(invoke_without_command=True)
@takes(*VERSIONS)
@JSON
@click.pass_context
def models(context: click.Context, /, as_json: bool, **where: str | None) -> None:
    """List the pushed versions and which one is live, go back to one, remove old ones."""
    context.obj = where
    if context.invoked_subcommand is None:
        _list_models(as_json, where)


def _list_models(as_json: bool, where: dict[str, str | None]) -> None:
    from pipeline.models.command import list_models
    from pipeline.models.listing import Place

    list_models(Place(**where), as_json=as_json)


@models.command(name='list')
@takes(*VERSIONS)
@JSON
@click.pass_obj
def list_versions(before: dict[str, str | None], /, as_json: bool, **where: str | None) -> None:
    """List the pushed versions: which one is live, which are withdrawn, which restore others."""
    _list_models(as_json, given(before, where))


@models.command()
@click.argument('version', required=False)
@takes(*VERSIONS)
@JSON
@click.pass_obj
def rollback(
    before: dict[str, str | None], /, version: str | None, as_json: bool, **where: str | None
) -> None:
    """Make an earlier version the live one (default: the one that was live before).

    A copy of it becomes the highest version, in one step. What was pushed after it
    is withdrawn: a run that makes the same model again does not push it. To undo
    it, go back to the version that was live.
    """
    from pipeline.models.command import roll_back
    from pipeline.models.listing import Place

    roll_back(Place(**given(before, where)), version, as_json=as_json)


@models.command()
@click.option(
    '--keep', type=click.IntRange(min=1), required=True, metavar='N', help='How many at least.'
)
@click.option('--dry-run', is_flag=True, help='Say what would be removed, and remove nothing.')
@takes(*VERSIONS)
@JSON
@click.pass_obj
def prune(
    before: dict[str, str | None],
    /,
    keep: int,
    dry_run: bool,
    as_json: bool,
    **where: str | None,
) -> None:
    """Remove all versions but the newest N.

    What is live is never removed, nor what it restores, nor the version of the
    model that the next candidate is compared with.
    """
    from pipeline.models.command import prune_models
    from pipeline.models.listing import Place

    place = Place(**given(before, where))
    prune_models(place, keep=keep, dry_run=dry_run, as_json=as_json)


@main.command()
@ROOT
@NAME
@click.option('--port', type=click.IntRange(0, 65535), metavar='N', help='0: any [6006 or next].')
def tensorboard(root: str | None, name: str | None, port: int | None) -> None:
    """Show the learning curves of all runs in TensorBoard, for this machine alone."""
    from pipeline.commands import show_curves

    show_curves(root, name, port)


@main.command()
@takes(*SETTINGS, *PLACES)
@JSON
def doctor(*, as_json: bool, **options: Any) -> None:
    """Look at the installation, what runs keep, what is served, and the data if it is named.

    Says what to do about what it finds, and changes nothing. The exit code is that
    of the first problem.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.doctor.command import examine

    examine(
        config.root_path,
        config.serving_path,
        config.data if options['data'] or config.data.path != NO_DATA else None,
        metadata_named(config),
        as_json=as_json,
    )


@main.command()
@takes(CONFIG_FILE, SET, ROOT)
@JSON
def repair(*, as_json: bool, **options: Any) -> None:
    """Mend the metadata of a root: put back its copy, or bring it to the current schema.

    Where it is on a server, settings say on which; otherwise, the latest run does.
    Nothing is deleted: what is damaged stays beside it under another name.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.store.repair import repair

    repair(config.root_path, metadata_named(config), as_json=as_json)


for _command in COMMANDS:
    main.add_command(_command)


def _exit_code(args: list[str] | None = None) -> int:
    """Run a command, and return what the shell is told."""
    try:
        main.main(args=args, prog_name='pipeline_runner.py', standalone_mode=False)
    except (Exception, KeyboardInterrupt) as err:
        # click, and other libraries, put errors of their own in place of the interrupt.
        if isinstance(err, click.Abort) or interrupts.behind(err) is not None:
            click.echo(interrupts.last_line(), err=True)
            return interrupts.exit_code()
        return _tell(err)
    return 0


def _tell(error: Exception | KeyboardInterrupt) -> int:
    """Show an error that a person can act on, and return its exit code; raise any other."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return ConfigError.exit_code
    if isinstance(error, ReviewsError):
        click.echo(mask(f'error: {error}' + (f'; {error.hint}' if error.hint else '')), err=True)
        if error.report:
            click.echo(f'report: {error.report}', err=True)
        if error.log:
            click.echo(f'log: {error.log}', err=True)
        return error.exit_code
    if isinstance(error, ModuleNotFoundError):
        click.echo(f'error: {error}; run `make setup`, then use .venv/bin/python', err=True)
        return MissingDependencyError.exit_code
    raise error


if __name__ == '__main__':
    code = interrupts.obeyed(_exit_code)
    sys.stdout.flush()
    sys.stderr.flush()
    # All files are closed. Taking TensorFlow down in good order would cost 2 s more.
    os._exit(code)
