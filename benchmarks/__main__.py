"""The command line of the benchmarks: `python -m benchmarks`."""

from __future__ import annotations

import functools
import pathlib
import re
import sys
from collections.abc import Callable, Collection
from typing import Any

import click

from benchmarks import archive, documents, history, report
from benchmarks.contenders import CONTENDERS, WALL_REFERENCE
from benchmarks.corpora import CORPORA, DEFAULT_FOLDER, Corpus, missing_files
from benchmarks.derive import TASKS, Task
from components.common.errors import (
    INTERRUPTED_EXIT_CODE,
    ComponentError,
    ConfigError,
    DataError,
    MissingDependencyError,
    NotBlessedError,
    ReviewsError,
)
from pipeline.settings.presets import DEFAULT_PRESET, OWN_PRESETS

_Callback = Callable[[click.Context, click.Parameter, 'str | None'], Any]


def _names(known: Collection[str]) -> _Callback:
    """Return a callback that splits comma-separated names, each of which must be known."""

    def split(_: click.Context, __: click.Parameter, text: str | None) -> list[str] | None:
        names = [name.strip() for name in text.split(',')] if text else None
        for name in names or ():
            # A variant of a preset is PRESET+NAME=VALUE.
            if name.partition('+')[0] not in known:
                choices = ', '.join(known)
                raise click.BadParameter(f'unknown name {name!r}; choose from {choices}')
        return names

    return split


def _factors(_: click.Context, __: click.Parameter, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        factors = [float(part) for part in text.split(',')]
    except ValueError as err:
        raise click.BadParameter(f'expected comma-separated numbers, got {text!r}') from err
    if not all(0 < factor <= 100 for factor in factors):
        raise click.BadParameter(f'expected factors above 0 and up to 100, got {text!r}')
    return factors


def _engine_runs(
    _: click.Context, __: click.Parameter, text: str | None
) -> list[tuple[int, int]] | None:
    found = re.findall(r'([1-8])/([0-2])', text or '')
    if text and ','.join(map('/'.join, found)) != text:
        raise click.BadParameter(f'expected COPIES/TASK_MANAGERS, such as 1/0,5/2, got {text!r}')
    return [(int(copies), int(managers)) for copies, managers in found] or None


_DATA = click.option(
    '--data',
    metavar='FILE',
    callback=lambda _, __, value: archive.find_archive(value),
    help='The IMDB archive.',
)
_OUTPUT = click.option(
    '--output',
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    metavar='FILE',
    help='File for the results.',
)


def _save_function(
    output: pathlib.Path | None, published: pathlib.Path, *, complete: bool
) -> Callable[[Any], None]:
    """Return a function that saves results to --output, or as published if all was measured."""
    if output is None and not complete:
        return lambda _: None
    return functools.partial(report.save, path=output or published)


@click.group(context_settings={'help_option_names': ['-h', '--help']})
def main() -> None:
    """Measure this pipeline and its peers on IMDB.

    Exit codes: 0 success, 2 usage, 3 time or memory grows too fast, 4 data,
    5 a contender failed, 6 a package is not installed, 130 interrupted.
    """


@main.command()
@_DATA
@click.option(
    '--only', callback=_names(CONTENDERS), metavar='NAME,NAME', help='Run only these contenders.'
)
@click.option(
    '--with',
    'added',
    callback=_names(CONTENDERS),
    metavar='NAME',
    help='Also run this contender: tfx-example.',
)
@click.option('--seeds', default=1, type=click.IntRange(1), help='Number of seeds [default: 1].')
@click.option(
    '--passes',
    default=3,
    type=click.IntRange(0),
    help='Passes to measure scoring rates; 0 for none [default: 3].',
)
@click.option(
    '--keep',
    is_flag=True,
    help='Also append the ratios to benchmarks/results/history.json.',
)
@_OUTPUT
def run(
    *,
    data: pathlib.Path,
    only: list[str] | None,
    added: list[str] | None,
    seeds: int,
    passes: int,
    keep: bool,
    output: pathlib.Path | None,
) -> None:
    """Run all contenders, each in a process of its own, and print a table.

    Writes the results to FILE. Without --only and --passes 0, FILE is
    benchmarks/results/bench.json by default.
    """
    from benchmarks import bench

    selected = [
        contender
        for name, contender in CONTENDERS.items()
        if name in (added or ()) or (not contender.on_request if only is None else name in only)
    ]
    if keep and not history.can_be_kept([contender.name for contender in selected], seeds):
        raise click.UsageError(
            f'--keep needs {WALL_REFERENCE}, a preset of this pipeline,'
            f' and --seeds {history.MIN_SEEDS} or more'
        )
    results = bench.run(selected, data, seeds=seeds, passes=passes)
    complete = only is None and passes > 0
    _save_function(output, report.BENCH_FILE, complete=complete)(results)
    click.echo(f'{report.bench_table(results)}\n\nMeasured {report.provenance(results)}.')
    failed = [row['name'] for row in results['contenders'] if row['error']]
    if failed:
        raise ComponentError(f'failed: {", ".join(failed)}', hint='see the table for the reason')
    if keep:
        history.keep(results)


@main.command()
@_DATA
@click.option(
    '--factors',
    callback=_factors,
    metavar='N,N',
    help='Sizes relative to IMDB [0.25,0.5,1,2,4,8].',
)
@click.option('--preset', type=click.Choice(OWN_PRESETS), help='Preset of the pipeline.')
@_OUTPUT
def scale(
    *,
    data: pathlib.Path,
    factors: list[float] | None,
    preset: str | None,
    output: pathlib.Path | None,
) -> None:
    """Run the pipeline on smaller and larger data, and check its growth.

    Writes the results to FILE. Without --factors and --preset, FILE is
    benchmarks/results/scale.json by default.
    """
    from benchmarks import scale as scaling

    complete = factors is None and preset is None
    save = _save_function(output, report.SCALE_FILE, complete=complete)
    sizes = factors or (0.25, 0.5, 1, 2, 4, 8)
    results = scaling.run(sizes, data, preset or DEFAULT_PRESET, save)
    click.echo(report.sizes_table(results))
    if any(row['error'] for row in results['sizes']):
        raise ComponentError('a size failed', hint='see the table for the reason')
    if results['violations']:
        raise NotBlessedError('; '.join(results['violations']))


@main.command()
@_DATA
@click.option(
    '--folds', default='0', metavar='N,N', help='Fifths of the films to hold out [default: 0].'
)
@click.option('--only', default='', metavar='TEXT', help='Only variants whose name contains TEXT.')
def tune(data: pathlib.Path, folds: str, only: str) -> None:
    """Compare settings on training reviews of held-out films."""
    from benchmarks import tune as tuning

    names = [name for name in tuning.VARIANTS if only in name]
    click.echo('variant\taccuracy\tloss')
    held_out = [int(fold) for fold in folds.split(',')]
    for name, accuracy, loss in tuning.compare(tuning.read_films(data), names, held_out):
        click.echo(f'{name}\t{accuracy:.4f}\t{loss:.4f}')


@main.command()
@_DATA
@click.option(
    '--only',
    callback=_names([*TASKS, *CORPORA]),
    metavar='NAME,NAME',
    help='Run only these tasks.',
)
@click.option(
    '--corpora',
    'folder',
    default=DEFAULT_FOLDER,
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    metavar='DIR',
    help=f'Folder of the public data sets [{DEFAULT_FOLDER}].',
)
@click.option(
    '--seeds',
    default=1,
    type=click.IntRange(1),
    help='Number of seeds for ngram and accurate [default: 1].',
)
@_OUTPUT
def elsewhere(
    *,
    data: pathlib.Path,
    only: list[str] | None,
    folder: pathlib.Path,
    seeds: int,
    output: pathlib.Path | None,
) -> None:
    """Compare presets and scikit-learn on tasks other than IMDB.

    The tasks are derived from training reviews (short texts, few texts, unbalanced
    labels, other scripts, very long texts) or are public data sets in DIR; those that
    DIR lacks are skipped. Writes the results to FILE. If all tasks run, FILE is
    benchmarks/results/elsewhere.json by default.
    """
    from benchmarks import elsewhere as other_tasks

    known: dict[str, Task | Corpus] = {**TASKS, **CORPORA}
    tasks = {name: task for name, task in known.items() if only is None or name in only}
    for name, corpus in CORPORA.items():
        if name in tasks and (missing := missing_files(corpus, folder)):
            click.echo(f'skipped {name}: {folder} has no {", ".join(missing)}', err=True)
            del tasks[name]
    if not tasks:
        raise DataError(
            'no task to run', hint='benchmarks/README.md says where to download the files'
        )
    save = _save_function(output, report.ELSEWHERE_FILE, complete=len(tasks) == len(known))
    results = other_tasks.run(data, tasks, save, folder=folder, seeds=seeds)
    click.echo('\n\n'.join(map(report.task_table, results['tasks'])))


@main.command()
@_DATA
@click.option(
    '--factors',
    callback=_factors,
    metavar='N,N',
    help='Sizes relative to IMDB [0.5,1,2,4].',
)
@click.option(
    '--variants',
    callback=_names(OWN_PRESETS),
    metavar='NAME,NAME',
    help='Presets; PRESET+NAME=VALUE changes a setting [ngram and tutorial, five variants].',
)
@_OUTPUT
def nodes(
    *,
    data: pathlib.Path,
    factors: list[float] | None,
    variants: list[str] | None,
    output: pathlib.Path | None,
) -> None:
    """Measure CPU time, memory and output of each node (Linux only).

    Writes the results to FILE. Without --factors and --variants, FILE is
    benchmarks/results/nodes.json by default.
    """
    from benchmarks import nodes as by_node

    complete = factors is None and variants is None
    save = _save_function(output, report.NODES_FILE, complete=complete)
    results = by_node.run(factors or (0.5, 1, 2, 4), data, variants or by_node.VARIANTS, save)
    click.echo(report.nodes_table(results))
    failed = [row for row in results['runs'] if row['error']]
    if failed:
        raise ComponentError(f'a run failed: {failed[0]["error"]}', hint='see the table')


@main.command()
@_DATA
@click.option(
    '--runs',
    callback=_engine_runs,
    metavar='N/M,N/M',
    help='Copies of IMDB and task managers, 0 for a local run [1/0,1/2,1/1,5/0,5/2].',
)
@_OUTPUT
def engine(
    *, data: pathlib.Path, runs: list[tuple[int, int]] | None, output: pathlib.Path | None
) -> None:
    """Measure the nodes that read all data on this machine and on Flink (Linux only).

    Needs Java and Maven. Writes the results to FILE. Without --runs, FILE is
    benchmarks/results/engine.json by default.
    """
    from benchmarks import engine as engines

    save = _save_function(output, report.ENGINE_FILE, complete=runs is None)
    results = engines.run(data, save, runs or engines.RUNS)
    click.echo(f'{engines.table(results)}\n\nMeasured {report.provenance(results)}.')
    failed = [row for row in results['runs'] if row['error']]
    if failed:
        raise ComponentError(f'a run failed: {failed[0]["error"]}')


@main.command()
@click.option(
    '--replicates',
    default=1_000,
    type=click.IntRange(100),
    help='Number of splits [default: 1000].',
)
def coverage(*, replicates: int) -> None:
    """Simulate how often the intervals of the gate contain the true value, and print a table."""
    from benchmarks import coverage as simulation

    click.echo(simulation.table(simulation.run(replicates)))


@main.command('history')
@click.option('--since', default='', metavar='DATE', help='Only runs from 2026-12-01 on, say.')
def show_history(since: str) -> None:
    """Show the ratios of all kept runs, and the lowest and the highest of each preset."""
    runs = history.kept_runs(since)
    click.echo(f'{history.table(runs)}\n\n{history.summary(runs)}')


@main.command()
def table() -> None:
    """Update the tables in the documents from benchmarks/results/*.json, and print them."""
    tables = documents.document_tables()
    changed = [name for name, content in tables.items() if documents.update_document(name, content)]
    click.echo('\n\n'.join(tables.values()))
    click.echo('tables updated' if changed else 'tables are up to date', err=True)


@main.command()
@click.option(
    '--output',
    default=report.SCALE_FILE.with_suffix('.svg'),
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    metavar='FILE',
    help='SVG file [benchmarks/results/scale.svg].',
)
def plot(output: pathlib.Path) -> None:
    """Draw benchmarks/results/scale.json."""
    from benchmarks.plot import draw

    draw(report.load(report.SCALE_FILE), output)
    click.echo(output)


def exit_code(args: list[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    try:
        main.main(args=args, prog_name='python -m benchmarks', standalone_mode=False)
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.ClickException as err:
        err.show()
        return ConfigError.exit_code
    except ReviewsError as err:
        click.echo(f'error: {err}' + (f'; {err.hint}' if err.hint else ''), err=True)
        return err.exit_code
    except ModuleNotFoundError as err:
        click.echo(f'error: {err}; run make bench, which installs it', err=True)
        return MissingDependencyError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo('interrupted', err=True)
        return INTERRUPTED_EXIT_CODE
    return 0


if __name__ == '__main__':
    sys.exit(exit_code())
