"""The commands without subcommands of their own, and the groups `config` and `fetch`."""

from __future__ import annotations

import pathlib
from typing import Any

import click

from pipeline.cli.options import (
    AGAIN,
    CONFIG_FILE,
    FORMAT,
    JSON,
    NO_DATA,
    PLACES,
    QUIET,
    ROOT,
    SET,
    SETTINGS,
    TEXT_COLUMN,
    VERBOSE,
    VERSIONS,
    config_of,
    metadata_named,
    reading_of,
    root_path,
    takes,
)


@click.command(short_help='Train and evaluate a model, and push it if it is blessed.')
@takes(*SETTINGS, *PLACES, AGAIN, JSON, QUIET, VERBOSE)
@click.option(
    '--wait',
    is_flag=True,
    help='Wait for the end of an active run with the same --root and --name.',
)
def run(
    *,
    again: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    wait: bool,
    **options: Any,
) -> None:
    """Run the pipeline: train and evaluate a model, and push it if it is blessed.

    The command fails if another run with the same --root and --name is active; with
    --wait, it waits for the end of that run.
    """
    config = config_of(options)
    from pipeline.cli.local_run import run_locally

    run_locally(config, again=again, as_json=as_json, quiet=quiet, verbose=verbose, wait=wait)


@click.command(short_help='Score texts with the live model.')
@click.argument('texts', nargs=-1)
@click.option(
    '--input',
    'input_file',
    metavar='FILE',
    help='File with one text per line, or a table (.csv, .tsv, .jsonl or .json, optionally '
    '.gz or in a .zip; .parquet or .arrow).',
)
@takes(TEXT_COLUMN, *FORMAT)
@click.option('--explain', is_flag=True, help='Show how much each n-gram contributes to the logit.')
@click.option(
    '--output',
    'output_file',
    metavar='FILE',
    help='Write the table with its scores to FILE (.csv, .tsv or .jsonl, optionally .gz).',
)
@click.option(
    '--label-column',
    default='label',
    metavar='NAME',
    help='Name of the added label column [default: label].',
)
@click.option(
    '--probability-column',
    default='probability',
    metavar='NAME',
    help='Name of the added probability column [default: probability].',
)
@takes(*VERSIONS, JSON)
def predict(
    *,
    label_column: str,
    probability_column: str,
    root: str | None,
    name: str | None,
    serving_dir: str | None,
    texts: tuple[str, ...],
    input_file: str | None,
    output_file: str | None,
    explain: bool,
    as_json: bool,
    **format_options: Any,
) -> None:
    """Score texts with the live model. TEXTS are arguments, or come from a file or standard input.

    With --output, the command scores a table of any size row by row. It keeps all
    columns and adds two: the label, and the probability of the positive label. The
    new columns are empty for a row without a text. The command fails if the table
    already has columns with these names. If a row cannot be read, nothing is written.
    """
    from pipeline.predict.scoring import Request, predict
    from pipeline.predict.writing import Columns
    from pipeline.settings.config import serving_location

    request = Request(
        texts=texts,
        input_file=input_file,
        reading=reading_of(format_options),
        output_file=output_file,
        columns=Columns(label_column, probability_column),
        explain=explain,
        as_json=as_json,
    )
    predict(request, serving_location(root=root, name=name, serving_dir=serving_dir))


@click.group()
def fetch() -> None:
    """Download a data set."""


@fetch.command(short_help='Download the IMDB reviews (80 MiB).')
@click.option(
    '--output',
    default='aclImdb_v1.tar.gz',
    metavar='FILE',
    help='File to write [default: aclImdb_v1.tar.gz].',
)
def imdb(output: str) -> None:
    """Download the IMDB reviews (Maas et al., 2011; 80 MiB) from their official site."""
    from rich import progress
    from rich.console import Console

    from data.fetch import IMDB_URL
    from data.fetch import fetch as fetch_file
    from pipeline.process import signals

    console = Console(stderr=True, highlight=False)
    console.print(f'from {IMDB_URL}', markup=False)
    columns = (
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with (
        signals.hint_on_interrupt('run the same command again'),
        progress.Progress(*columns, console=console) as bar,
    ):
        task = bar.add_task('', total=None)
        path = fetch_file(
            pathlib.Path(output),
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(path)


@click.group()
def config() -> None:
    """Print the settings."""


@config.command(short_help='Print all settings with their values and descriptions.')
@takes(*SETTINGS, *PLACES)
def show(**options: Any) -> None:
    """Print all settings with their values and descriptions, as YAML.

    To use the output as a settings file, pass it to other commands with --config.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.settings.text import text_of

    click.echo(text_of(config), nl=False)


@click.command(short_help='Print the path of the report of a run, or open it.')
@click.argument('run_ids', nargs=-1, metavar='[RUN]...')
@click.option('--compare', is_flag=True, help='Compare 2 to 6 runs on one page.')
@click.option('--open', 'open_it', is_flag=True, help='Also open the page in the browser.')
@click.option(
    '--output', metavar='FILE', help='Write a new page to FILE instead of using the stored one.'
)
@ROOT
def report(root: str | None, **options: Any) -> None:
    """Print the path of the report page of a run (default: the latest run).

    The command writes the page if it does not exist. RUN is a run id, as the
    command runs lists it.
    """
    from pipeline.report.pages import print_report

    print_report(root_path(root), **options)


@click.command(short_help='Print a schema that is inferred from the training split of a run.')
@click.argument('run_id', required=False, metavar='[RUN]')
@ROOT
def schema(root: str | None, run_id: str | None) -> None:
    """Print a schema for a run (default: the latest run), as text proto.

    It contains the entries for text, label and length that each run checks, and an
    inferred entry for each feature column. Review it, and pass it to later runs with
    --set data.schema_file=FILE.
    """
    from pipeline.process.logs import no_framework_noise

    with no_framework_noise() as terminal:
        from pipeline.report.inferred_schema import infer_schema

        print(infer_schema(root_path(root), run_id), end='', file=terminal.out)


@click.command(short_help='Show the learning curves of all runs in TensorBoard.')
@ROOT
@click.option('--name', metavar='NAME', help='Name of the pipeline [default: all pipelines].')
@click.option(
    '--port',
    type=click.IntRange(0, 65535),
    metavar='N',
    help='Port; 0 selects any free port [default: 6006, or the next free port].',
)
def tensorboard(root: str | None, name: str | None, port: int | None) -> None:
    """Show the learning curves of all runs in TensorBoard, at an address of this machine."""
    from pipeline.report.tensorboard import find_curves, serve

    serve(find_curves(root_path(root), name), port)


@click.command(short_help='Find problems, and print their solutions.')
@takes(*SETTINGS, *PLACES, JSON)
def doctor(*, as_json: bool, **options: Any) -> None:
    """Check the installation, the stored runs, the served model and, with --data, the data.

    The command prints each problem with its solution, and changes nothing. The exit
    code is that of the first problem, or 0.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.doctor.run import run_doctor

    run_doctor(
        config.root_path,
        config.serving_path,
        config.data if options['data'] or config.data.path != NO_DATA else None,
        metadata_named(config),
        as_json=as_json,
    )


@click.command(short_help='Repair the metadata of a root.')
@takes(CONFIG_FILE, SET, ROOT, JSON)
def repair(*, as_json: bool, **options: Any) -> None:
    """Repair the metadata of a root: restore its backup, or upgrade its schema.

    --config and --set select the metadata store. Without them, the command uses the
    store of the latest run. A damaged file is renamed, never deleted.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.store.repair import repair

    repair(config.root_path, metadata_named(config), as_json=as_json)
