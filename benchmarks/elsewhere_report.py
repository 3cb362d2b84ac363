"""Shows how the presets do on other tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from benchmarks.report import RESULTS, console_for, provenance

ELSEWHERE_FILE = RESULTS / 'elsewhere.json'

_FIGURES = {'accuracy': 'accuracy', 'average_precision': 'average precision'}
_COLUMNS = (
    'task',
    'learned from',
    'measured on',
    'contender',
    'accuracy',
    'AUC',
    'average precision',
    'ECE',
    'seconds',
    'against scikit-learn',
)


def verdict(ahead: Mapping[str, float]) -> str:
    """Say in a word whether a difference is more than chance.

    >>> verdict({'by': 0.01, 'low': 0.002, 'high': 0.02})
    'better'
    >>> verdict({'by': 0.01, 'low': -0.002, 'high': 0.02})
    'as good'
    """
    if ahead['low'] > 0:
        return 'better'
    return 'worse' if ahead['high'] < 0 else 'as good'


def cells(results: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of the whole table, as text."""
    table = []
    for task in results['tasks']:
        for row in task['contenders']:
            ahead = row.get('ahead')
            table.append(
                [
                    task['title'],
                    f'{task["training"]:,}',
                    f'{task["held_out"]:,}',
                    row['name'],
                    *(
                        f'{row[name]:.4f}'
                        for name in ('accuracy', 'auc', 'average_precision', 'ece')
                    ),
                    f'{row["seconds"]:.1f}',
                    _against(ahead, task['figure']) if ahead else '',
                ]
            )
    return table


def _against(ahead: Mapping[str, float], figure: str) -> str:
    return (
        f'{verdict(ahead)}: {_FIGURES[figure]} {ahead["by"]:+.4f}'
        f' ({ahead["low"]:+.4f} to {ahead["high"]:+.4f})'
    )


def print_tasks(results: Mapping[str, Any], stream: TextIO) -> None:
    """Show the results in a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    for name in _COLUMNS:
        left = name in {'task', 'contender', 'against scikit-learn'}
        table.add_column(name, justify='left' if left else 'right', no_wrap=True)
    for row in cells(results):
        table.add_row(*map(Text, row))
    console = console_for(stream)
    console.print(table)
    console.print(provenance(results), markup=False)


def markdown(results: Mapping[str, Any]) -> str:
    """Return a row per task: of each contender the figure that tells most, and the ECE."""
    names = list(dict.fromkeys(r['name'] for t in results['tasks'] for r in t['contenders']))
    lines = [
        '| task | learned from | ' + ' | '.join(names) + ' |',
        '|---|---:|' + '---:|' * len(names),
    ]
    for task in results['tasks']:
        by_name = {row['name']: row for row in task['contenders']}
        title = task['title']
        if task['figure'] != 'accuracy':
            title += f' ({_FIGURES[task["figure"]]})'
        row = [title, f'{task["training"]:,}']
        row += [_short(by_name.get(name), task['figure']) for name in names]
        lines.append('| ' + ' | '.join(row) + ' |')
    return '\n'.join([*lines, '', f'Measured {provenance(results)}.'])


def _short(row: Mapping[str, Any] | None, figure: str) -> str:
    if row is None:
        return ''
    text = f'{row[figure]:.3f}, {row["ece"]:.3f}'
    # That it is better, a reader sees; that it is worse must not be overlooked.
    return f'{text}, worse' if 'ahead' in row and verdict(row['ahead']) == 'worse' else text
