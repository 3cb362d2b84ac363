"""The command line of the benchmarks: `python -m benchmarks`."""

from __future__ import annotations

import pathlib
import sys

import click

from benchmarks import archive, derive, elsewhere_report, report
from components.common.errors import (
    INTERRUPTED_EXIT_CODE,
    ComponentError,
    ConfigError,
    MissingDependencyError,
    NotBlessedError,
    ReviewsError,
)

_DATA = click.option('--data', metavar='FILE', help='The IMDB archive.')
_OUTPUT = click.option(
    '--output',
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    metavar='FILE',
    help='File for the results.',
)
_SCALE_FACTORS = '0.25,0.5,1,2,4,8'
_NODES_FACTORS = '0.5,1,2,4'
_PLOT_FILE = report.SCALE_FILE.with_suffix('.svg')


@click.group(context_settings={'help_option_names': ['-h', '--help']})
def main() -> None:
    """Measure this pipeline and its peers on IMDB.

    Exit codes: 0 success, 2 usage, 3 time or memory grows too fast, 4 data,
    5 a contender failed, 6 a package is not installed, 130 interrupted.
    """


@main.command()
@_DATA
@click.option('--only', default='', metavar='NAME,NAME', help='Run only these contenders.')
@click.option(
    '--with', 'added', default='', metavar='NAME', help='Also run this contender: tfx-example.'
)
@click.option('--seeds', default=1, type=click.IntRange(1), help='Number of seeds [default: 1].')
@click.option(
    '--passes', default=3, type=click.IntRange(1), help='Scoring passes; the best counts [3].'
)
@_OUTPUT
def run(
    *,
    data: str | None,
    only: str,
    added: str,
    seeds: int,
    passes: int,
    output: pathlib.Path | None,
) -> None:
    """Run all contenders, each in a process of its own, and print a table.

    Writes the results to FILE. Without --only, FILE is benchmarks/results/bench.json
    by default.
    """
    from benchmarks import bench
    from benchmarks.contenders import select

    contenders = select(only, added)
    results = bench.run(contenders, archive.find_archive(data), seeds=seeds, passes=passes)
    if output is None and not only:
        output = report.BENCH_FILE
    if output is not None:
        report.save(results, output)
    click.echo(report.markdown(results))
    failed = [row['name'] for row in results['contenders'] if row['error']]
    if failed:
        raise ComponentError(f'failed: {", ".join(failed)}', hint='see the table for the reason')


@main.command()
@_DATA
@click.option('--factors', metavar='N,N', help=f'Sizes relative to IMDB [{_SCALE_FACTORS}].')
@click.option('--preset', metavar='NAME', help='Preset of the pipeline.')
@_OUTPUT
def scale(
    data: str | None, factors: str | None, preset: str | None, output: pathlib.Path | None
) -> None:
    """Run the pipeline on smaller and larger data, and check its growth.

    Writes the results to FILE. Without --factors and --preset, FILE is
    benchmarks/results/scale.json by default.
    """
    from benchmarks import scale as scaling
    from pipeline.settings.presets import DEFAULT_PRESET

    if output is None and factors is None and preset is None:
        output = report.SCALE_FILE
    sizes = _factors(_SCALE_FACTORS if factors is None else factors)
    preset = _known_preset(preset or DEFAULT_PRESET)
    results = scaling.run(sizes, archive.find_archive(data), preset, output)
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
def tune(data: str | None, folds: str, only: str) -> None:
    """Compare settings on training reviews of held-out films."""
    from benchmarks import tune as tuning

    names = [name for name in tuning.VARIANTS if only in name]
    films = tuning.read_films(archive.find_archive(data))
    click.echo('variant\taccuracy\tloss')
    for name, accuracy, loss in tuning.compare(films, names, [int(f) for f in folds.split(',')]):
        click.echo(f'{name}\t{accuracy:.4f}\t{loss:.4f}')


@main.command()
@_DATA
@click.option('--only', default='', metavar='NAME,NAME', help='Run only these tasks.')
@_OUTPUT
def elsewhere(data: str | None, only: str, output: pathlib.Path | None) -> None:
    """Compare presets and scikit-learn on tasks derived from training reviews.

    The tasks: short texts, few texts, unbalanced labels, other scripts, very long
    texts. Writes the results to FILE. Without --only, FILE is
    benchmarks/results/elsewhere.json by default.
    """
    from benchmarks import elsewhere as other_tasks

    if output is None and not only:
        output = elsewhere_report.ELSEWHERE_FILE
    tasks = derive.select(only)
    results = other_tasks.results(archive.find_archive(data), tasks, output)
    click.echo(elsewhere_report.full_table(results))


@main.command()
@_DATA
@click.option('--factors', metavar='N,N', help=f'Sizes relative to IMDB [{_NODES_FACTORS}].')
@click.option(
    '--variants',
    metavar='NAME,NAME',
    help=f'Presets; PRESET+NAME=VALUE changes a setting [{",".join(report.VARIANTS)}].',
)
@_OUTPUT
def nodes(
    data: str | None, factors: str | None, variants: str | None, output: pathlib.Path | None
) -> None:
    """Measure CPU time, memory and output of each node (Linux only).

    Writes the results to FILE. Without --factors and --variants, FILE is
    benchmarks/results/nodes.json by default.
    """
    from benchmarks import nodes as by_node

    if output is None and factors is None and variants is None:
        output = report.NODES_FILE
    sizes = _factors(_NODES_FACTORS if factors is None else factors)
    names = report.VARIANTS if variants is None else variants.split(',')
    for name in names:
        _known_preset(name.partition('+')[0])
    results = by_node.run(sizes, archive.find_archive(data), names, output)
    click.echo(by_node.runs_table(results))
    failed = [row for row in results['runs'] if row['error']]
    if failed:
        raise ComponentError(f'a run failed: {failed[0]["error"]}', hint='see the table')


def _known_preset(name: str) -> str:
    from pipeline.settings.presets import PRESETS

    if name not in PRESETS:
        raise ConfigError(f'unknown preset {name!r}', hint=f'choose from {", ".join(PRESETS)}')
    return name


def _factors(text: str) -> list[float]:
    try:
        factors = [float(part) for part in text.split(',')]
    except ValueError as err:
        raise ConfigError(f'expected comma-separated numbers, got {text!r}') from err
    if not all(0 < factor <= 100 for factor in factors):
        raise ConfigError(f'expected factors above 0 and up to 100, got {text!r}')
    return factors


@main.command()
def table() -> None:
    """Update the tables in the documents from benchmarks/results/*.json, and print them."""
    results = report.load(report.BENCH_FILE)
    tables = {'bench': report.markdown(results), 'summary': report.summary(results)}
    if elsewhere_report.ELSEWHERE_FILE.is_file():
        others = report.load(elsewhere_report.ELSEWHERE_FILE)
        tables['elsewhere'] = elsewhere_report.markdown(others)
    changed = [name for name, content in tables.items() if report.update_document(name, content)]
    click.echo('\n\n'.join(tables.values()))
    click.echo('tables updated' if changed else 'tables are up to date', err=True)


@main.command()
@click.option(
    '--output',
    default=_PLOT_FILE,
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
