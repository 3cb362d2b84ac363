"""Saves results as JSON files, and shows them as Markdown tables."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.archive import ROOT
from benchmarks.contenders import RATE_REFERENCE, WALL_REFERENCE
from components.common.errors import DataError

RESULTS = ROOT / 'benchmarks' / 'results'
BENCH_FILE = RESULTS / 'bench.json'
SCALE_FILE = RESULTS / 'scale.json'
NODES_FILE = RESULTS / 'nodes.json'
VARIANTS = (
    'ngram',
    'ngram+trainer.model.max_ngram=2',
    'ngram+trainer.model.min_ngram_documents=8',
    'tutorial',
    'tutorial+trainer.model.input=stream',
)

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
    """Write results to a file, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    part.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    os.replace(part, path)


def load(path: pathlib.Path) -> dict[str, Any]:
    """Read results.

    Raises:
        DataError: The file does not exist or is damaged.
    """
    try:
        results = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        hint = 'run make bench or make bench-scale first'
        raise DataError(f'there are no results in {path}', hint=hint) from err
    except (OSError, ValueError) as err:
        raise DataError(f'cannot read the results in {path}: {err}') from err
    if not isinstance(results, dict):
        raise DataError(f'expected a JSON object in {path}, got {type(results).__name__}')
    return results


def cells(results: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of the table of `bench`, as text."""
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


def sizes_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table of time and memory by size, and the limits that are exceeded."""
    sizes = [row for row in results['sizes'] if not row['error']]
    nodes = list(sizes[-1]['nodes']) if sizes else []
    columns = ('of IMDB', 'reviews', 'wall, s', 'CPU, s', 'peak, GiB', 'accuracy', *nodes)
    rows = []
    for row in results['sizes']:
        factor = f'{row["factor"]:g}'
        if row['error']:
            rows.append([factor, 'failed', *[''] * (len(columns) - 2)])
            continue
        accuracy = row['accuracy']
        rows.append(
            [
                factor,
                f'{row["reviews"]:,}',
                f'{row["wall_seconds"]:.1f}',
                f'{row["cpu_seconds"]:.1f}',
                f'{row["peak_bytes"] / _GIB:.2f}',
                '-' if accuracy is None else f'{accuracy:.4f}',
                *(f'{row["nodes"].get(node, 0):.1f}' for node in nodes),
            ]
        )
    lines = [markdown_table(columns, rows)]
    if results['exponent'] is not None:
        lines.append(f'from 1 to 8 times IMDB, time grows with exponent {results["exponent"]:.2f}')
    return '\n'.join([*lines, *results['violations']])


def provenance(results: Mapping[str, Any]) -> str:
    """Describe in one line where and when the results were measured."""
    machine, versions = results['machine'], results['versions']
    memory = machine['memory_bytes'] / _GIB
    return (
        f'{results["date"]}, commit {results["commit"] or "unknown"}, {machine["cores"]} cores'
        f' ({machine["cpu"]}), {memory:.0f} GiB, Python {versions["python"]},'
        f' TFX {versions.get("tfx", "?")}, TensorFlow {versions.get("tensorflow", "?")}'
    )


def markdown(results: Mapping[str, Any]) -> str:
    """Return the results as a Markdown table, followed by their provenance."""
    return f'{markdown_table(_COLUMNS, cells(results))}\n\nMeasured {provenance(results)}.'


def summary(results: Mapping[str, Any]) -> str:
    """Return accuracy, time and memory of each contender as a Markdown table."""
    chosen = ('contender', 'accuracy', 'wall, s', 'of Keras', 'CPU, s', 'peak, GiB')
    places = [_COLUMNS.index(column) for column in chosen]
    return markdown_table(chosen, ([row[place] for place in places] for row in cells(results)))


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table.

    Args:
        columns: The header.
        rows: One text per column.
        left: Number of columns to align at the left; the others are numbers.

    >>> print(markdown_table(('name', 'size'), [('a', '1')]))
    | name | size |
    |---|---:|
    | a | 1 |
    """
    lines = ['| ' + ' | '.join(columns) + ' |']
    lines.append('|' + '---|' * left + '---:|' * (len(columns) - left))
    return '\n'.join([*lines, *('| ' + ' | '.join(row) + ' |' for row in rows)])


def updated(text: str, name: str, content: str) -> str:
    """Insert `content` between the markers `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    Raises:
        DataError: The text does not have each marker once, in this order.

    >>> updated('<!-- a:begin -->old<!-- a:end -->', 'a', 'new')
    '<!-- a:begin -->\\nnew\\n<!-- a:end -->'
    """
    begin, end = f'<!-- {name}:begin -->', f'<!-- {name}:end -->'
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end or begin in rest or end in before + after:
        raise DataError(f'expected {begin} and {end}, each once and in this order')
    return f'{before}{begin}\n{content}\n{end}{after}'


def update_document(name: str, content: str, document: pathlib.Path | None = None) -> bool:
    """Update a table in a document; return whether the document changed.

    Args:
        name: Name of the markers, see `updated`.
        content: The table.
        document: The file; None for the one that `find_document` returns.

    Raises:
        DataError: No document has the markers, or more than one has them.
    """
    document = document or find_document(name)
    old = document.read_text(encoding='utf-8')
    new = updated(old, name, content)
    if new != old:
        document.write_text(new, encoding='utf-8')
    return new != old


def find_document(name: str) -> pathlib.Path:
    """Return README.md or the file in docs/ that has the markers of a table."""
    documents = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
    found = [d for d in documents if f'<!-- {name}:begin -->' in d.read_text(encoding='utf-8')]
    if len(found) != 1:
        raise DataError(
            f'expected one document with the marker <!-- {name}:begin -->, found {len(found)}'
        )
    return found[0]
