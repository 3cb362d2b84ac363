"""Shows runs in the terminal: a line for each node, a summary, and tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from rich.box import HEAVY
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from components.common.progress import PROGRESS_LOGGER
from components.evaluator.metric_table import ACCURACY, format_metric
from pipeline.results.outcome import NO_BASELINE, NodeResult, RunOutcome, State
from pipeline.terminal.live import LiveNode, can_show

Row = Sequence[str | float | None]

_NARROWEST_NOTE = 30  # cells; if fewer are left, the note is below its node
_STYLES: dict[State, str] = {
    'executed': 'green',
    'cached': 'cyan',
    'failed': 'bold red',
    'interrupted': 'yellow',
    'skipped': 'dim',
}
# Mark of each state, and the mark for terminals that show only ASCII.
_MARKS: dict[State, tuple[str, str]] = {
    'executed': ('✓', '+'),
    'cached': ('=', '='),
    'failed': ('✗', 'x'),
    'interrupted': ('✗', 'x'),
    'skipped': ('-', '-'),
}


class ProgressLines(logging.Handler):
    """Shows the progress of a run: a line for each node, and the messages of the node.

    On a terminal, the current node is redrawn below these lines, see
    `live.LiveNode`. Elsewhere, each message is a line.

    Args:
        stream: Stream to write to.
        quiet: Whether to show nothing.

    Example:
        with ProgressLines(sys.stderr) as progress:
            progress.starting('sentiment, preset ngram')
            progress.node_started(1, 9, 'ExampleGen')
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        super().__init__(logging.INFO)
        self._console = Console(file=stream, quiet=quiet, highlight=False, soft_wrap=True)
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live: LiveNode | None = None
        self._id_width = 18
        self._failed = ''

    def __enter__(self) -> ProgressLines:
        logging.getLogger(PROGRESS_LOGGER).addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger(PROGRESS_LOGGER).removeHandler(self)
        self._stop()
        if self._failed:
            self._console.print()
            _print_in_box(self._console, f'Failed: {self._failed}')

    def starting(self, line: str) -> None:
        """Show the run that is about to start."""
        self._print(line)
        self._start('loading TensorFlow and TFX')

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False)

    def _start(self, where: str, *, done: int = 0, total: int = 0) -> None:
        self._stop()
        if self._is_live:
            self._live = LiveNode(self._console, where, done=done, total=total)
            self._live.start()

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        """Make the column of node ids wide enough for these ids."""
        self._id_width = max(self._id_width, *map(len, node_ids))

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Show that a node is running."""
        self._start(self._place(index, total, node_id), done=index - 1, total=total)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a progress message of a node."""
        if self._live is not None:
            self._live.add_line(record.getMessage())
        else:
            self._print(f'       {record.getMessage()}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Show the result of a node."""
        self._stop()
        style, mark = _STYLES[result.state], _mark(self._console, result.state)
        # In a pipe or file, only a failure has a mark.
        line = Text(f'{mark} ' if self._is_live else '', style=style)
        line.append(self._place(index, total, result.id), style='none')
        time = f'{result.seconds:.1f} s' if result.state == 'executed' else result.state
        if result.state == 'failed':
            self._failed = result.id
            time = 'failed' if self._is_live else f'{mark} failed'
        line.append(f'{time:>8}   ', style=style)
        if self._is_live:
            self._print_folded(line, result.note)
        else:
            line.append(result.note, style='none')
            line.rstrip()
            self._console.print(line)

    def _print_folded(self, line: Text, note: str) -> None:
        """Print a note beside its line or, on a narrow terminal, below it."""
        if self._console.width - len(line) < _NARROWEST_NOTE:
            self._console.print(line)
            line = Text(' ' * 7)
            if not note:
                return
        row = Table.grid()
        row.add_row(line, Text(note))
        self._console.print(row, soft_wrap=False)

    def _place(self, index: int, total: int, node_id: str) -> str:
        return f'{index:>2}/{total}  {node_id:<{self._id_width}}'

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _mark(console: Console, state: State) -> str:
    symbol, ascii_symbol = _MARKS[state]
    return symbol if can_show(console, symbol) else ascii_symbol


def _print_in_box(console: Console, message: str) -> None:
    text = Text(f'{_mark(console, "failed")} {message}')
    console.print(Panel.fit(text, box=HEAVY, style='bold red'), soft_wrap=False)


def print_summary(outcome: RunOutcome, stream: TextIO) -> None:
    """Show the result of a run that reached the gate."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    console.print()
    if outcome.pushed is not None:
        console.print(Text(f'Blessed, pushed as version {outcome.pushed.version}', 'bold green'))
    elif outcome.withdrawn is not None:
        console.print(Text('Blessed, not pushed: this model is withdrawn', 'bold yellow'))
    else:
        _print_in_box(console, 'Not blessed: nothing was pushed')
    console.print(_metrics_table(outcome))
    for line in _remarks(outcome, _mark(console, 'failed')):
        console.print(line, markup=False)
    facts = {
        'model': outcome.pushed and _relative(outcome.pushed.path),
        'baseline': outcome.baseline_version and f'version {outcome.baseline_version}',
        'run': f'{outcome.run_id}, {outcome.seconds:.1f} s',
        'rejects': outcome.rejects and _relative(outcome.rejects),
        'report': outcome.report and _relative(outcome.report),
        'log': outcome.log,
    }
    known = {name: value for name, value in facts.items() if value}
    width = max(map(len, known)) + 2
    for name, value in known.items():
        # A table would cut a long path.
        console.print(f'{name:<{width}}{value}', markup=False)


def _remarks(outcome: RunOutcome, failed: str) -> Iterator[str]:
    if outcome.nothing_new:
        spans = f' ({outcome.spans})' if outcome.spans else ''
        yield f'Nothing is new: data{spans}, settings and code are those of an earlier run.'
    elif outcome.spans and outcome.state_of('ExampleGen') == 'cached':
        yield f'No new data: an earlier run read {outcome.spans}.'
    yield from outcome.withdrawn_lines()
    if outcome.baseline is None:
        yield NO_BASELINE
    for check in outcome.thresholds:
        if not check.passed:
            value = format_metric(check.metric, check.value, 'no value')
            yield f'{failed} {check.label}: expected {check.bound}, got {value}'
            if check.hint:
                yield f'  {check.hint}'


def _metrics_table(outcome: RunOutcome) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in ('metric', 'value', 'bound', 'baseline'):
        table.add_column(name, justify='left' if name in ('metric', 'bound') else 'right')
    for row in outcome.metric_rows():
        table.add_row(
            row.metric.label,
            format_metric(row.metric.name, row.value),
            ', '.join(check.bound for check in row.checks),
            format_metric(row.metric.name, row.baseline) if outcome.baseline else 'none',
        )
    for check in outcome.other_checks():
        table.add_row(check.label, format_metric(check.metric, check.value), check.bound, '')
    return table


def print_runs(records: list[RunOutcome], stream: TextIO) -> None:
    """Show a table of runs, newest first."""
    rows = [
        (
            record.run_id,
            record.name,
            record.data,
            record.metrics.get(ACCURACY),
            (record.baseline or {}).get(ACCURACY),
            record.outcome.replace('_', ' '),
            record.pushed.version if record.pushed else '-',
            f'{record.seconds:.1f} s',
        )
        for record in reversed(records)
    ]
    names = ('run', 'name', 'data', 'accuracy', 'baseline', 'outcome', 'version', 'duration')
    print_table(names, rows, stream)


def print_models(models: list[dict[str, Any]], stream: TextIO) -> None:
    """Show a table of pushed versions, newest first."""
    rows = [
        (
            model['version'],
            _state(model),
            model[ACCURACY],
            model['run_id'] or '-',
            model['path'],
        )
        for model in reversed(models)
    ]
    print_table(('version', 'state', 'accuracy', 'run', 'path'), rows, stream)


def _state(model: dict[str, Any]) -> str:
    states = ['live'] if model['live'] else ['withdrawn'] if model['withdrawn'] else []
    if model['restores']:
        states.append(f'restores {model["restores"]}')
    return ', '.join(states)


def print_table(names: Sequence[str], rows: Sequence[Row], stream: TextIO) -> None:
    """Show a table; numbers have four decimals.

    Args:
        names: Names of the columns.
        rows: Texts and numbers; None is an unknown number.
        stream: Stream to write to.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in names:
        right = name in ('accuracy', 'baseline', 'duration')
        table.add_column(name, justify='right' if right else 'left', overflow='fold')
    for row in rows:
        cells = [cell if isinstance(cell, str) else format_metric(ACCURACY, cell) for cell in row]
        table.add_row(*cells)
    Console(file=stream, highlight=False, width=_width(stream)).print(table)


def _relative(path: str) -> str:
    return path.removeprefix(os.path.join(os.getcwd(), ''))


def _width(stream: TextIO) -> int | None:
    # A pipe has no width, so its lines must not be folded at the default width.
    return None if stream.isatty() else 200
