"""The table of what `make torture` did: `python -m tests.torture.table` puts it into README.md."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.machine import describe
from benchmarks.report import provenance, update_document

_HERE = pathlib.Path(__file__).parent
RESULTS = _HERE / 'results.json'
README = _HERE / 'README.md'


class Row(NamedTuple):
    """One kind of fault.

    Attributes:
        fault: What was done to the pipeline.
        runs: How often something was tried.
        faults: How many faults were injected meanwhile.
        losses: How often something was lost, half-written or half-pushed.
    """

    fault: str
    runs: int
    faults: int
    losses: int


def added_up(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each fault, in the order of their names, and the sum of all."""
    total = Row('all', 0, 0, 0)
    by_fault: dict[str, Row] = {}
    for row in rows:
        known = by_fault.get(row.fault, Row(row.fault, 0, 0, 0))
        by_fault[row.fault] = _sum(known, row)
        total = _sum(total, row)
    return [*(by_fault[fault] for fault in sorted(by_fault)), total]


def _sum(one: Row, other: Row) -> Row:
    return Row(one.fault, *(a + b for a, b in zip(one[1:], other[1:])))


def markdown(rows: Iterable[Row]) -> str:
    """Return the table."""
    lines = ['| fault | runs | faults injected | losses |', '|---|---:|---:|---:|']
    lines += [f'| {fault} | {n:,} | {m:,} | {lost:,} |' for fault, n, m, lost in added_up(rows)]
    return '\n'.join(lines)


def save(rows: Iterable[Row], path: pathlib.Path, *, seconds: float, failed: int) -> None:
    """Keep what was done, how long it took, and how many tests failed."""
    results = {**describe(), 'seconds': round(seconds), 'failed': failed, 'rows': list(rows)}
    path.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


def main() -> int:
    """Put the table into README.md, unless a test failed."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding='utf-8'))
    if results['failed']:
        print(f'error: {results["failed"]} tests failed; {README} is as it was', file=sys.stderr)
        return 1
    table = markdown(Row(*row) for row in results['rows'])
    said = f'{results["seconds"] / 60:.0f} minutes; {provenance(results)}.'
    update_document('torture', f'{table}\n\n{said}', README)
    return 0


if __name__ == '__main__':
    sys.exit(main())
