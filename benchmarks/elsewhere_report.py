"""Shows the results of `elsewhere` as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import report

ELSEWHERE_FILE = report.RESULTS / 'elsewhere.json'

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
    """Describe in a word whether a difference is significant.

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


def full_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table with all metrics of each contender."""
    return report.markdown_table(_COLUMNS, cells(results))


def markdown(results: Mapping[str, Any]) -> str:
    """Return a row per task, with the main metric and the ECE of each contender."""
    names = list(dict.fromkeys(r['name'] for t in results['tasks'] for r in t['contenders']))
    rows = []
    for task in results['tasks']:
        by_name = {row['name']: row for row in task['contenders']}
        title = task['title']
        if task['figure'] != 'accuracy':
            title += f' ({_FIGURES[task["figure"]]})'
        contenders = [_short(by_name.get(name), task['figure']) for name in names]
        rows.append([title, f'{task["training"]:,}', *contenders])
    table = report.markdown_table(('task', 'learned from', *names), rows)
    return f'{table}\n\nMeasured {report.provenance(results)}.'


def _short(row: Mapping[str, Any] | None, figure: str) -> str:
    if row is None:
        return ''
    text = f'{row[figure]:.3f}, {row["ece"]:.3f}'
    # Readers see which one is better, but must not overlook that one is worse.
    return f'{text}, worse' if 'ahead' in row and verdict(row['ahead']) == 'worse' else text
