"""Saves results as JSON files, and shows them as Markdown tables."""

from __future__ import annotations

import json
import os
import pathlib
import statistics
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.archive import ROOT
from benchmarks.contenders import RATE_REFERENCE, WALL_REFERENCE
from components.common.errors import DataError

RESULTS = ROOT / 'benchmarks' / 'results'
BENCH_FILE = RESULTS / 'bench.json'
SCALE_FILE = RESULTS / 'scale.json'
NODES_FILE = RESULTS / 'nodes.json'
ENGINE_FILE = RESULTS / 'engine.json'
ELSEWHERE_FILE = RESULTS / 'elsewhere.json'

_GIB = 1 << 30
_MB = 1_000_000
_FIGURES = {'accuracy': 'accuracy', 'average_precision': 'average precision'}


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
        return dict(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as err:
        hint = 'run make bench or make bench-scale first'
        raise DataError(f'cannot read the results in {path}: {err}', hint=hint) from err


def ratios(row: Mapping[str, Any], reference: Mapping[str, Any], figure: str) -> list[float]:
    """Divide the figure of each run of a contender by that of the reference with the same seed.

    A contender that ran once, because it has no seed, is divided by the median of the reference.

    Args:
        row: Row of a contender, with its runs.
        reference: Row of the reference.
        figure: Name of the figure.

    >>> keras = {'runs': [{'seed': 1, 'wall': 4.0}, {'seed': 2, 'wall': 5.0}]}
    >>> ratios({'runs': [{'seed': 1, 'wall': 2.0}, {'seed': 2, 'wall': 5.0}]}, keras, 'wall')
    [0.5, 1.0]
    >>> ratios({'runs': [{'seed': 1, 'wall': 9.0}]}, keras, 'wall')
    [2.0]
    """
    by_seed = {run['seed']: run[figure] for run in reference['runs']}
    if len(row['runs']) == 1:
        return [row['runs'][0][figure] / statistics.median(by_seed.values())]
    return [run[figure] / by_seed[run['seed']] for run in row['runs']]


def bench_table(
    results: Mapping[str, Any],
    only: Sequence[str] = (),
    ranges: Container[str] = ('wall, s', 'of Keras', 'CPU of Keras', 'accuracy'),
) -> str:
    """Return a Markdown table of the contenders.

    Args:
        results: The results of `bench`.
        only: The columns to show; empty for all.
        ranges: The columns that show the lowest and the highest value of several runs.
    """
    rows = results['contenders']
    by_name = {row['name']: row for row in rows if not row['error']}
    keras = by_name.get(WALL_REFERENCE)
    rate = by_name.get(RATE_REFERENCE, {}).get('rate')

    def of_keras(row: Mapping[str, Any], figure: str, column: str) -> str:
        if keras is None or row is keras:
            return '1.00' if keras else ''
        return with_range(ratios(row, keras, figure), 2, ranges=column in ranges)

    def values(row: Mapping[str, Any], figure: str, column: str, digits: int) -> str:
        return with_range([run[figure] for run in row['runs']], digits, ranges=column in ranges)

    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        'contender': lambda row: str(row['title']),
        'wall, s': lambda row: values(row, 'wall_seconds', 'wall, s', 1),
        'of Keras': lambda row: of_keras(row, 'wall_seconds', 'of Keras'),
        'CPU, s': lambda row: f'{row["cpu_seconds"]:.1f}',
        'CPU of Keras': lambda row: of_keras(row, 'cpu_seconds', 'CPU of Keras'),
        'peak, GiB': lambda row: f'{row["peak_bytes"] / _GIB:.2f}',
        'accuracy': lambda row: values(row, 'accuracy', 'accuracy', 4),
        'AUC': lambda row: f'{row["auc"]:.4f}',
        'ECE': lambda row: f'{row["ece"]:.4f}',
        'reviews/s': lambda row: f'{row["rate"]:,.0f}' if row['rate'] else '',
        'of sklearn': lambda row: f'{row["rate"] / rate:.2f}' if row['rate'] and rate else '',
        'one, ms': lambda row: f'{row["latency_ms"]:.2f}',
        'size, MB': lambda row: f'{row["size_bytes"] / _MB:.1f}',
    }
    names = only or tuple(columns)
    cells = [
        [f'{row["title"]}: failed, {row["error"]}'.replace('|', '/')]
        if row['error']
        else [columns[name](row) for name in names]
        for row in rows
    ]
    return markdown_table(names, cells)


def with_range(values: Sequence[float], digits: int, *, ranges: bool = True) -> str:
    """Format the median of values, with the lowest and the highest one if there are several.

    >>> with_range([0.9, 0.8, 1.2], 2)
    '0.90 (0.80 to 1.20)'
    """
    text = f'{statistics.median(values):.{digits}f}'
    if len(values) < 2 or not ranges:
        return text
    return f'{text} ({min(values):.{digits}f} to {max(values):.{digits}f})'


def _with_range(row: Mapping[str, Any], figure: str, digits: int = 4) -> str:
    return with_range([run[figure] for run in row.get('runs', [row])], digits)


def sizes_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table of time and memory by size, and the limits that are exceeded."""
    sizes = [row for row in results['sizes'] if not row['error']]
    nodes = list(sizes[-1]['nodes']) if sizes else []
    rows = []
    for row in results['sizes']:
        cells = [f'{row["factor"]:g}']
        if row['error']:
            cells += ['failed']
        else:
            accuracy = row['accuracy']
            cells += [
                f'{row["reviews"]:,}',
                f'{row["wall_seconds"]:.1f}',
                f'{row["cpu_seconds"]:.1f}',
                f'{row["peak_bytes"] / _GIB:.2f}',
                '-' if accuracy is None else f'{accuracy:.4f}',
                *(f'{row["nodes"].get(node, 0):.1f}' for node in nodes),
            ]
        rows.append(cells)
    columns = ('of IMDB', 'reviews', 'wall, s', 'CPU, s', 'peak, GiB', 'accuracy', *nodes)
    lines = [markdown_table(columns, rows)]
    if results['exponent'] is not None:
        lines.append(f'from 1 to 8 times IMDB, time grows with exponent {results["exponent"]:.2f}')
    return '\n'.join([*lines, *results['violations']])


def nodes_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table of the figures of each node."""
    rows = []
    for run in results['runs']:
        start = [f'{run["factor"]:g}', run['variant']]
        if run['error']:
            rows.append([*start, f'failed: {run["error"]}'])
        for node, usage in run.get('nodes', {}).items():
            figures = (
                f'{usage["cpu_seconds"]:.1f}',
                f'{usage["peak_bytes"] / _GIB:.2f}',
                f'{usage["output_bytes"] / _MB:,.1f}',
            )
            rows.append([*start, node, *figures])
    columns = ('of IMDB', 'variant', 'node', 'CPU, s', 'peak, GiB', 'output, MB')
    return markdown_table(columns, rows, left=3)


def verdict(ahead: Mapping[str, float]) -> str:
    """Describe in a word whether a difference is significant.

    >>> verdict({'by': 0.01, 'low': 0.002, 'high': 0.02})
    'better'
    >>> verdict({'by': 0.01, 'low': -0.002, 'high': 0.02})
    'as good'
    """
    if ahead['low'] > 0:
        return 'better'
    return 'worse' if ahead['high'] < 0 else 'as good'


def tasks_table(results: Mapping[str, Any]) -> str:
    """Return a row per task, with the main metric and the ECE of each contender."""
    names = list(dict.fromkeys(r['name'] for t in results['tasks'] for r in t['contenders']))
    rows = []
    for task in results['tasks']:
        by_name = {row['name']: row for row in task['contenders']}
        title = task['title']
        if task['figure'] != 'accuracy':
            title += f' ({_FIGURES[task["figure"]]})'
        cells = [_figure_and_ece(by_name.get(name), task['figure']) for name in names]
        rows.append([title, f'{task["training"]:,}', *cells])
    return markdown_table(('task', 'learned from', *names), rows)


def _figure_and_ece(row: Mapping[str, Any] | None, figure: str) -> str:
    if row is None:
        return ''
    text = f'{_with_range(row, figure, 3)}, {row["ece"]:.3f}'
    # Readers see which one is better, but must not overlook that one is worse.
    for key, mark in (('ahead', 'worse'), ('ahead_of_ngram', 'worse than ngram')):
        if key in row and verdict(row[key]) == 'worse':
            text += f', {mark}'
    return text


def task_table(task: Mapping[str, Any]) -> str:
    """Return a Markdown table with all metrics of each contender on a task."""
    metrics = {'accuracy': 'accuracy', 'auc': 'AUC', 'average_precision': 'average precision'}
    metrics['ece'] = 'ECE'
    rows = []
    for row in task['contenders']:
        cells = [row['name'], *(_with_range(row, name) for name in metrics)]
        against = [_comparison(row.get(key), task['figure']) for key in ('ahead', 'ahead_of_ngram')]
        rows.append([*cells, f'{row["seconds"]:.1f}', *against])
    against_what = ('against scikit-learn', 'against ngram')
    return markdown_table((task['title'], *metrics.values(), 'seconds', *against_what), rows)


def _comparison(ahead: Mapping[str, float] | None, figure: str) -> str:
    if ahead is None:
        return ''
    low_to_high = f'{ahead["low"]:+.4f} to {ahead["high"]:+.4f}'
    return f'{verdict(ahead)}: {_FIGURES[figure]} {ahead["by"]:+.4f} ({low_to_high})'


def provenance(results: Mapping[str, Any]) -> str:
    """Describe in one line where and when the results were measured."""
    versions = results['versions']
    return (
        f'{results["date"]}, commit {results["commit"] or "unknown"}, {machine_text(results)},'
        f' Python {versions["python"]},'
        f' TFX {versions.get("tfx", "?")}, TensorFlow {versions.get("tensorflow", "?")}'
    )


def machine_text(results: Mapping[str, Any]) -> str:
    """Describe the machine of a measurement."""
    machine = results['machine']
    memory = machine['memory_bytes'] / _GIB
    return f'{machine["cores"]} cores ({machine["cpu"]}), {memory:.0f} GiB'


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table.

    Args:
        columns: The header.
        rows: One text per column; missing ones are empty.
        left: Number of columns to align at the left; the others are numbers.

    >>> print(markdown_table(('name', 'size'), [('a', '1')]))
    | name | size |
    |---|---:|
    | a | 1 |
    """
    lines = ['| ' + ' | '.join(columns) + ' |']
    lines.append('|' + '---|' * left + '---:|' * (len(columns) - left))
    for row in rows:
        lines.append('| ' + ' | '.join([*row, *[''] * (len(columns) - len(row))]) + ' |')
    return '\n'.join(lines)
