"""Shows and keeps results: the terminal's table, the README's, and the JSON files."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from benchmarks.archive import ROOT
from benchmarks.contenders import RATE_REFERENCE, WALL_REFERENCE
from components.common.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

RESULTS = ROOT / 'benchmarks' / 'results'
BENCH_FILE = RESULTS / 'bench.json'
SCALE_FILE = RESULTS / 'scale.json'
NODES_FILE = RESULTS / 'nodes.json'
VARIANTS = (
    'ngram',
    'ngram+trainer.max_ngram=2',
    'ngram+trainer.min_ngram_documents=8',
    'tutorial',
    'tutorial+trainer.input=stream',
)
README = ROOT / 'README.md'

_GIB = 1 << 30
_MB = 1_000_000
_COLUMNS = (
    'contender',
    'wall, s',
    'of Keras',
    'CPU, s',
    'peak, GiB',
    'accuracy',
    'AUC',
    'ECE',
    'reviews/s',
    'of sklearn',
    'one, ms',
    'size, MB',
)


def save(results: Mapping[str, Any], path: pathlib.Path) -> None:
    """Keep results; the file appears as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    part.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    os.replace(part, path)


def load(path: pathlib.Path) -> dict[str, Any]:
    """Read results.

    Raises:
        DataError: There are none, or the file is damaged.
    """
    try:
        results = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        hint = 'measure first: make bench, or make bench-scale'
        raise DataError(f'no results: {path}', hint=hint) from err
    except (OSError, ValueError) as err:
        raise DataError(f'the results in {path} cannot be read: {err}') from err
    if not isinstance(results, dict):
        raise DataError(f'the results in {path} are no JSON object')
    return results


def cells(results: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of the table, as text."""
    rows = results['contenders']
    by_name = {row['name']: row for row in rows if not row['error']}
    wall = by_name.get(WALL_REFERENCE, {}).get('wall_seconds')
    rate = by_name.get(RATE_REFERENCE, {}).get('rate')
    table = []
    for row in rows:
        if row['error']:
            failure = f'{row["title"]}: failed, {row["error"]}'.replace('|', '/')
            table.append([failure, *[''] * (len(_COLUMNS) - 1)])
            continue
        table.append(
            [
                row['title'],
                f'{row["wall_seconds"]:.1f}',
                _ratio(row['wall_seconds'], wall),
                f'{row["cpu_seconds"]:.1f}',
                f'{row["peak_bytes"] / _GIB:.2f}',
                _with_range(row, 'accuracy'),
                f'{row["auc"]:.4f}',
                f'{row["ece"]:.4f}',
                f'{row["rate"]:,.0f}',
                _ratio(row['rate'], rate),
                f'{row["latency_ms"]:.2f}',
                f'{row["size_bytes"] / _MB:.1f}',
            ]
        )
    return table


def _ratio(value: float, reference: float | None) -> str:
    return f'{value / reference:.2f}' if reference else ''


def _with_range(row: Mapping[str, Any], figure: str) -> str:
    values = [run[figure] for run in row['runs']]
    text = f'{row[figure]:.4f}'
    return f'{text} ({min(values):.4f} to {max(values):.4f})' if len(values) > 1 else text


def print_table(results: Mapping[str, Any], stream: TextIO) -> None:
    """Show the results in a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    for name in _COLUMNS:
        if name == 'contender':
            table.add_column(name, overflow='fold', min_width=24)
        else:
            table.add_column(name, justify='right', no_wrap=True)
    for row in cells(results):
        table.add_row(*map(Text, row))
    console = console_for(stream)
    console.print(table)
    console.print(provenance(results), markup=False)


def console_for(stream: TextIO) -> Console:
    """Return a console that is wide enough for a table."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    # A pipe has no width, and a figure that is cut off is worse than a long line.
    console.width = max(console.width, 140) if stream.isatty() else 240
    return console


def print_sizes(results: Mapping[str, Any], stream: TextIO) -> None:
    """Show in a terminal how time and memory grow."""
    from rich.table import Table

    sizes = [row for row in results['sizes'] if not row['error']]
    nodes = list(sizes[-1]['nodes']) if sizes else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    for name in ('of IMDB', 'reviews', 'wall, s', 'CPU, s', 'peak, GiB', 'accuracy', *nodes):
        table.add_column(name, justify='right', no_wrap=True)
    for row in results['sizes']:
        if row['error']:
            table.add_row(f'{row["factor"]:g}', 'failed')
            continue
        table.add_row(
            f'{row["factor"]:g}',
            f'{row["reviews"]:,}',
            f'{row["wall_seconds"]:.1f}',
            f'{row["cpu_seconds"]:.1f}',
            f'{row["peak_bytes"] / _GIB:.2f}',
            f'{row["accuracy"]:.4f}' if row['accuracy'] is not None else '-',
            *(f'{row["nodes"].get(node, 0):.1f}' for node in nodes),
        )
    console = console_for(stream)
    console.print(table)
    if results['exponent'] is not None:
        console.print(f'from 1 to 8 times IMDB, time grows with exponent {results["exponent"]:.2f}')
    for violation in results['violations']:
        console.print(violation, markup=False)


def provenance(results: Mapping[str, Any]) -> str:
    """Say in one line where and when the results were measured."""
    machine, versions = results['machine'], results['versions']
    memory = machine['memory_bytes'] / _GIB
    return (
        f'{results["date"]}, commit {results["commit"] or "unknown"}, {machine["cores"]} cores'
        f' ({machine["cpu"]}), {memory:.0f} GiB, Python {versions["python"]},'
        f' TFX {versions.get("tfx", "?")}, TensorFlow {versions.get("tensorflow", "?")}'
    )


def markdown(results: Mapping[str, Any]) -> str:
    """Return the results as a Markdown table, with a line that says where they are from."""
    lines = ['| ' + ' | '.join(_COLUMNS) + ' |']
    lines.append('|---|' + '---:|' * (len(_COLUMNS) - 1))
    lines += ['| ' + ' | '.join(row) + ' |' for row in cells(results)]
    return '\n'.join([*lines, '', f'Measured {provenance(results)}.'])


def updated(text: str, name: str, content: str) -> str:
    """Put `content` between the markers `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    Raises:
        DataError: The text does not hold both markers once, in this order.

    >>> updated('<!-- a:begin -->old<!-- a:end -->', 'a', 'new')
    '<!-- a:begin -->\\nnew\\n<!-- a:end -->'
    """
    begin, end = f'<!-- {name}:begin -->', f'<!-- {name}:end -->'
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end or begin in rest or end in before + after:
        raise DataError(f'expected {begin} and {end}, each once and in this order')
    return f'{before}{begin}\n{content}\n{end}{after}'


def update_readme(name: str, content: str, readme: pathlib.Path = README) -> bool:
    """Bring a table in README up to date; tell whether that changed it.

    Args:
        name: Of its markers, see `updated`.
        content: The table.
        readme: The file.
    """
    old = readme.read_text(encoding='utf-8')
    new = updated(old, name, content)
    if new != old:
        readme.write_text(new, encoding='utf-8')
    return new != old
