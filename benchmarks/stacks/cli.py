"""The commands `python -m benchmarks stacks`."""

from __future__ import annotations

import pathlib

import click

from benchmarks import report
from components.common.errors import ConfigError, NotBlessedError

_FOLDER = click.argument('folder', type=click.Path(file_okay=False, path_type=pathlib.Path))


@click.group()
def stacks() -> None:
    """Hold both stacks against each other.

    Each runs `measure` with the same FOLDER, then each runs `score`; then `compare`,
    on either. The three take the same data, configuration, seed and code.
    """


@stacks.command()
@_FOLDER
@click.option('--data', required=True, metavar='PATH', help='What to learn from.')
@click.option('--presets', default='', metavar='NAME,NAME', help='Which [all].')
@click.option('--seed', default=1, type=click.IntRange(0), help='Of training [1].')
def measure(folder: pathlib.Path, *, data: str, presets: str, seed: int) -> None:
    """Run the pipeline with each preset and compile it; leave all in FOLDER."""
    from benchmarks.stacks.making import make
    from pipeline.settings.presets import PRESETS

    wanted = [name for name in presets.split(',') if name] or list(PRESETS)
    for name in wanted:
        if name not in PRESETS:
            hint = f'the presets are {", ".join(PRESETS)}'
            raise ConfigError(f'no preset is called {name!r}', hint=hint)
    make(folder, pathlib.Path(data), wanted, seed)


@stacks.command()
@_FOLDER
def score(folder: pathlib.Path) -> None:
    """Score texts by the models of both stacks, and compile with the versions of each."""
    from benchmarks.stacks.making import answer

    answer(folder)


@stacks.command()
@_FOLDER
@click.option(
    '--output',
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    metavar='FILE',
    help='Where to keep the results: benchmarks/results/stacks.json for the table in README.',
)
def compare(folder: pathlib.Path, output: pathlib.Path | None) -> None:
    """Judge what both have left, and show it. Exit code 3: they differ more than they may.

    Then the results are kept in FILE.failed, and FILE stays as it is.
    """
    from benchmarks.stacks.judging import judge
    from benchmarks.stacks.table import markdown

    results = judge(folder)
    if output is not None and results['violations']:
        output = output.with_name(f'{output.name}.failed')
    if output is not None:
        report.save(results, output)
    click.echo(markdown(results))
    if results['violations']:
        hint = f'the results are kept in {output}' if output is not None else ''
        raise NotBlessedError('; '.join(results['violations']), hint=hint)
