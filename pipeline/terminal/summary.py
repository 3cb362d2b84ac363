"""Shows the summary of a run that reached the gate: verdict, metrics, changes and bounds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.evaluator.metric_rows import (
    MetricRow,
    format_change,
    format_change_interval,
    format_interval,
    interval_name,
)
from components.evaluator.metric_table import EXAMPLE_COUNT, Check, format_metric, format_slice
from pipeline.results.outcome import NO_BASELINE, RunOutcome
from pipeline.terminal.console import mark_of, print_in_box

_WIDTH = 100  # columns, where the stream is no terminal
_NARROW = 72
# If more slices have bounds, those that meet them are only counted.
_SLICES_SHOWN = 8
_SLICES_NAMED = 4
_STYLES = {'better': 'green', 'worse': 'red'}


def print_summary(outcome: RunOutcome, stream: TextIO) -> None:
    """Show the result of a run that reached the gate."""
    console = Console(
        file=stream, highlight=False, soft_wrap=True, width=None if stream.isatty() else _WIDTH
    )
    console.print()
    if outcome.pushed is not None:
        console.print(Text(f'Blessed, pushed as version {outcome.pushed.version}', 'bold green'))
    elif outcome.withdrawn is not None:
        console.print(Text('Blessed, not pushed: this model is withdrawn', 'bold yellow'))
    else:
        print_in_box(console, 'Not blessed: nothing was pushed')
    rows = [row for row in outcome.metric_rows() if row.metric.in_summary or row.checks]
    # Both tables have the same first column.
    labels = [row.metric.label for row in rows] + [check.label for check in _checks_shown(outcome)]
    gap = 3 if console.width >= _WIDTH else 2 if console.width >= _NARROW else 1
    columns = min(max(map(len, labels)), console.width // 3), gap
    failed = mark_of(console, 'failed')
    console.print(_values_table(outcome, rows, columns, failed), soft_wrap=False)
    if any(row.change is not None for row in rows):
        console.print()
        console.print(
            _changes_table(outcome, rows, columns, narrow=console.width < _NARROW), soft_wrap=False
        )
    for line in _remarks(outcome, failed):
        console.print(line, markup=False)
    facts = {
        'slices': _count_slices(outcome),
        'threshold': _describe_threshold(outcome),
        'model': outcome.pushed and _relative(outcome.pushed.path),
        'baseline': outcome.baseline_version and f'version {outcome.baseline_version}',
        'run': f'{outcome.run_id}, {outcome.seconds:.1f} s',
        'rejects': outcome.rejects and _relative(outcome.rejects),
        'labels': outcome.label_issues
        and f'{outcome.label_issues.describe()}: {_relative(outcome.label_issues.file)}',
        'report': outcome.report and _relative(outcome.report),
        'log': outcome.log,
    }
    known = {name: value for name, value in facts.items() if value}
    width = max(map(len, known)) + 2
    for name, value in known.items():
        # A table would cut a long path.
        console.print(f'{name:<{width}}{value}', markup=False)


def _values_table(
    outcome: RunOutcome, rows: Iterable[MetricRow], columns: tuple[int, int], failed: str
) -> Table:
    table = _table(*columns)
    table.add_column('value', justify='right', no_wrap=True)
    if outcome.intervals:
        table.add_column(interval_name(outcome.confidence), overflow='fold')
    judged = outcome.judged_by == 'interval'
    table.add_column('bound of the worse end' if judged else 'bound', overflow='fold')

    def add(name: str, label: str, value: float | None, interval: str, bounds: list[Check]) -> None:
        found = '\n'.join(_describe_bound(check, failed) for check in bounds)
        cells = [interval] if outcome.intervals else []
        table.add_row(Text(label), format_metric(name, value), *cells, Text(found))

    for row in rows:
        name = row.metric.name
        add(name, row.metric.label, row.value, format_interval(name, row.interval), row.checks)
    for check in _checks_shown(outcome):
        of_slice = outcome.slice_intervals.get(check.slice, {})
        interval = format_interval(check.metric, of_slice.get(check.metric))
        add(check.metric, check.label, check.value, interval, [check])
    return table


def _changes_table(
    outcome: RunOutcome, rows: Iterable[MetricRow], columns: tuple[int, int], *, narrow: bool
) -> Table:
    """Return a table of the changes; a narrow one has no values of the baseline."""
    table = _table(*columns)
    if not narrow:
        table.add_column('baseline', justify='right', no_wrap=True)
    table.add_column('change', justify='right')
    table.add_column(interval_name(outcome.confidence) if outcome.changes else '', overflow='fold')
    table.add_column('', overflow='fold')
    for row in rows:
        cells = [] if narrow else [format_metric(row.metric.name, row.baseline)]
        if row.change is not None:
            verdict = Text(row.change.verdict, _STYLES.get(row.change.verdict, ''))
            change = format_change(row.change.change)
            interval = format_change_interval(row.change)
            table.add_row(row.metric.label, *cells, change, interval, verdict)
        else:
            table.add_row(row.metric.label, *cells)
    return table


def _table(label_width: int, gap: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style='dim')
    table.add_column('metric', width=label_width, overflow='fold')
    return table


def _describe_bound(check: Check, failed: str) -> str:
    end = '' if check.judged is None else f'{format_metric(check.metric, check.judged)} '
    return f'{end}{check.bound}{"" if check.passed else f" {failed}"}'


def _checks_shown(outcome: RunOutcome) -> list[Check]:
    """Return the checks that are no metric of all texts, without those that are only counted."""
    checks = [check for check in outcome.other_checks() if not check.skipped]
    many = len({check.slice for check in checks if check.slice}) > _SLICES_SHOWN
    return [check for check in checks if not (many and check.slice and check.passed)]


def _count_slices(outcome: RunOutcome) -> str:
    """Return how many slices meet their bounds; empty if the table shows each of them."""
    passed = dict[str, bool]()
    for check in outcome.thresholds:
        if check.slice and not check.skipped:
            passed[check.slice] = passed.get(check.slice, True) and check.passed
    if len(passed) <= _SLICES_SHOWN:
        return ''
    return f'{sum(passed.values())} of {len(passed)} meet their bounds'


def _describe_small_slices(outcome: RunOutcome) -> str:
    """Return which slices have too few texts to be judged; empty if none has."""
    small = dict.fromkeys(check.slice for check in outcome.thresholds if check.skipped)
    if not small:
        return ''
    listed = [
        f'{format_slice(name)} ({outcome.slices.get(name, {}).get(EXAMPLE_COUNT) or 0:,.0f})'
        for name in small
    ]
    more = f' and {len(listed) - _SLICES_NAMED} more' if len(listed) > _SLICES_NAMED else ''
    return f'Not judged, too few texts: {", ".join(listed[:_SLICES_NAMED])}{more}.'


def _describe_threshold(outcome: RunOutcome) -> str:
    if outcome.threshold == 0.5 and outcome.baseline_threshold in (None, 0.5):
        return ''
    base = outcome.baseline_threshold
    return f'{outcome.threshold:.4g}' + (f' (baseline {base:.4g})' if base is not None else '')


def _remarks(outcome: RunOutcome, failed: str) -> Iterator[str]:
    if outcome.nothing_new:
        spans = f' ({outcome.spans})' if outcome.spans else ''
        yield f'Nothing is new: data{spans}, settings and code are those of an earlier run.'
    elif outcome.spans and outcome.state_of('ExampleGen') == 'cached':
        yield f'No new data: an earlier run read {outcome.spans}.'
    yield from outcome.withdrawn_lines()
    if outcome.baseline is None:
        yield NO_BASELINE
    if small := _describe_small_slices(outcome):
        yield small
    if needed := outcome.examples_needed_line():
        yield needed
    for check in outcome.missed_checks():
        value = format_metric(check.metric, check.value, 'no value')
        if check.judged is not None:
            end = format_metric(check.metric, check.judged)
            value = f'{end}, the worse end of the interval of {value}'
        yield f'{failed} {check.label}: expected {check.bound}, got {value}'
        if check.hint:
            yield f'  {check.hint}'


def _relative(path: str) -> str:
    return path.removeprefix(os.path.join(os.getcwd(), ''))
