"""The table of `make torture`: `python -m tests.torture.table` writes it into README.md."""

from __future__ import annotations

import collections
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.documents import update_document
from benchmarks.machine import describe
from benchmarks.report import provenance

_HERE = pathlib.Path(__file__).parent
RESULTS = _HERE / 'results.json'
README = _HERE / 'README.md'


class Row(NamedTuple):
    """One kind of fault.

    Attributes:
        fault: The kind of fault.
        runs: Number of attempts.
        faults: Number of faults that took effect.
        losses: Number of results that were lost, incomplete or wrongly pushed.
    """

    fault: str
    runs: int
    faults: int
    losses: int


def add_up(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each fault, sorted by fault, and the sum of all."""
    sums: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    total = [0, 0, 0]
    for fault, *counts in rows:
        for found in (sums[fault], total):
            found[:] = map(sum, zip(found, counts))
    return [*(Row(fault, *sums[fault]) for fault in sorted(sums)), Row('all', *total)]


def markdown(rows: Iterable[Row]) -> str:
    """Return the table as Markdown."""
    lines = ['| fault | runs | faults injected | losses |', '|---|---:|---:|---:|']
    lines += [f'| {fault} | {n:,} | {m:,} | {lost:,} |' for fault, n, m, lost in add_up(rows)]
    return '\n'.join(lines)


def save(rows: Iterable[Row], path: pathlib.Path, *, seconds: float, failed: int) -> None:
    """Save the rows, the duration, and the number of failed tests."""
    results = {**describe(), 'seconds': round(seconds), 'failed': failed, 'rows': list(rows)}
    path.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


def main() -> int:
    """Write the table into README.md, unless a test failed."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding='utf-8'))
    if results['failed']:
        print(f'error: {results["failed"]} tests failed; {README} was not changed', file=sys.stderr)
        return 1
    table = markdown(Row(*row) for row in results['rows'])
    source = f'{results["seconds"] / 60:.0f} minutes; {provenance(results)}.'
    update_document('torture', f'{table}\n\n{source}', README)
    return 0


if __name__ == '__main__':
    sys.exit(main())
