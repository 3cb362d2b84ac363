"""Keeps the ratios of runs in different hours and on different machines."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import report
from benchmarks.contenders import WALL_REFERENCE
from pipeline.settings.presets import OWN_PRESETS

HISTORY_FILE = report.RESULTS / 'history.json'
# The range of fewer pairs says little.
MIN_SEEDS = 3

_RATIOS = {'wall': 'wall_ratios', 'CPU': 'cpu_ratios'}
_DIGITS = 3


def can_be_kept(names: Sequence[str], seeds: int) -> bool:
    """Return whether the runs have enough pairs of a preset and the Keras script."""
    presets = {f'ours-{preset}' for preset in OWN_PRESETS}
    return WALL_REFERENCE in names and bool(presets & set(names)) and seeds >= MIN_SEEDS


def shorten(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of the results of `bench`, of which no contender failed."""
    rows = {row['name']: row for row in results['contenders']}
    keras = rows[WALL_REFERENCE]
    contenders = {
        name: {
            'wall_seconds': round(row['wall_seconds'], _DIGITS),
            'cpu_seconds': round(row['cpu_seconds'], _DIGITS),
            'peak_bytes': int(row['peak_bytes']),
            # One for each run.
            'wall_ratios': [round(r, _DIGITS) for r in report.ratios(row, keras, 'wall_seconds')],
            'cpu_ratios': [round(r, _DIGITS) for r in report.ratios(row, keras, 'cpu_seconds')],
        }
        for name, row in rows.items()
    }
    return {
        'date': results['date'],
        'commit': results['commit'],
        'machine': report.machine_text(results),
        'contenders': contenders,
    }


def keep(results: Mapping[str, Any]) -> None:
    """Append the results of `bench` to the kept runs."""
    report.save({'runs': [*kept_runs(), shorten(results)]}, HISTORY_FILE)


def kept_runs(since: str = '') -> list[dict[str, Any]]:
    """Return the kept runs.

    Args:
        since: The first date, such as `2026-12-01`; empty for all runs.

    Raises:
        DataError: The file does not exist or is damaged.
    """
    return [run for run in report.load(HISTORY_FILE)['runs'] if run['date'] >= since]


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table with a row for each kept run."""
    columns = ['date', 'commit', 'machine', 'Keras script, s']
    columns += [f'{preset}: {kind}' for preset in OWN_PRESETS for kind in _RATIOS]
    rows = []
    for run in runs:
        contenders = run['contenders']
        cells = [run['date'], run['commit'] or '', run['machine']]
        cells.append(f'{contenders[WALL_REFERENCE]["wall_seconds"]:.1f}')
        for preset in OWN_PRESETS:
            figures = contenders.get(f'ours-{preset}', {})
            cells += [
                report.with_range(figures[name], 2) if figures.get(name) else ''
                for name in _RATIOS.values()
            ]
        rows.append(cells)
    return report.markdown_table(columns, rows, left=3)


def summary(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each preset: the lowest and highest ratio of all these runs.

    >>> row = {'wall_ratios': [0.5, 0.8, 2.0], 'cpu_ratios': []}
    >>> print(summary([{'contenders': {'ours-ngram': row}}]))
    ngram (kept runs: 1): wall 0.80 to 0.80 (pairs 0.50 to 2.00)
    """
    lines = []
    for preset in OWN_PRESETS:
        name = f'ours-{preset}'
        kept = [run['contenders'][name] for run in runs if name in run['contenders']]
        parts = []
        for kind, key in _RATIOS.items():
            if found := [row[key] for row in kept if row[key]]:
                medians, pairs = map(statistics.median, found), itertools.chain(*found)
                parts.append(f'{kind} {_range(medians)} (pairs {_range(pairs)})')
        if parts:
            lines.append(f'{preset} (kept runs: {len(kept)}): {", ".join(parts)}')
    return '\n'.join(lines)


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    return f'{found[0]:.2f} to {found[-1]:.2f}'
