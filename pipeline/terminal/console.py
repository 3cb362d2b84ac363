"""What a person sees of a run: a line per node, then a summary of one screen."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

from rich.box import HEAVY
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from components.common.progress import PROGRESS_LOGGER
from pipeline.models.messages import withdrawn_lines
from pipeline.results.outcome import NodeResult, RunOutcome, State
from pipeline.terminal.live import LiveNode, can_show

_SHOWN_METRICS = (
    'binary_accuracy',
    'loss',
    'auc',
    'precision',
    'recall',
    'calibration',
    'expected_calibration_error',
)
Row = Sequence[str | float | None]

_NARROWEST_NOTE = 30  # cells; where fewer are left, it stands below its node
_STYLES: dict[State, str] = {
    'executed': 'green',
    'cached': 'cyan',
    'failed': 'bold red',
    'interrupted': 'yellow',
    'skipped': 'dim',
}
# By state, what tells it at a glance, and what does where only ASCII can be shown.
_MARKS: dict[State, tuple[str, str]] = {
    'executed': ('✓', '+'),
    'cached': ('=', '='),
    'failed': ('✗', 'x'),
    'interrupted': ('✗', 'x'),
    'skipped': ('-', '-'),
}


class ProgressLines(logging.Handler):
    """Shows how a run goes, on stderr: a line per node, and what the node says meanwhile.

    On a terminal, what happens now is redrawn below these lines, see
    `live.LiveNode`; elsewhere, all that a node says is a line.

    Args:
        stream: Where to.
        quiet: Show nothing at all.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger(PROGRESS_LOGGER).removeHandler(self)
        self._stop()
        if self._failed:
            self._console.print()
            _print_bad_end(self._console, f'FAILED: {self._failed}')

    def starting(self, line: str) -> None:
        """Show what is about to run."""
        self._say(line)
        self._start('loading TensorFlow and TFX')

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def _start(self, where: str, *, done: int = 0, total: int = 0) -> None:
        self._stop()
        if self._is_live:
            self._live = LiveNode(self._console, where, done=done, total=total)
            self._live.start()

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        """Leave room for the longest of these ids."""
        self._id_width = max(self._id_width, *map(len, node_ids))

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Show that a node works."""
        self._start(self._place(index, total, node_id), done=index - 1, total=total)

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a node says of its progress."""
        if self._live is not None:
            self._live.say(record.getMessage())
        else:
            self._say(f'       {record.getMessage()}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Show the line that stays."""
        self._stop()
        style, mark = _STYLES[result.state], _mark(self._console, result.state)
        # Without a terminal, lines are as they were before there were marks.
        line = Text(f'{mark} ' if self._is_live else '', style=style)
        line.append(self._place(index, total, result.id), style='none')
        if result.state == 'executed':
            time = f'{result.seconds:.1f} s'
        elif result.state == 'failed':
            self._failed = result.id
            time = 'failed' if self._is_live else f'{mark} failed'
        else:
            time = result.state
        line.append(f'{time:>8}   ', style=style)
        if self._is_live:
            self._print_folded(line, result.note)
        else:
            line.append(result.note, style='none')
            line.rstrip()
            self._console.print(line)

    def _print_folded(self, line: Text, note: str) -> None:
        """Fold a note at words, beside its line or, on a narrow terminal, below it."""
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


def _print_bad_end(console: Console, verdict: str) -> None:
    """Show in a box, which a good end has not, that something came to nothing."""
    text = Text(f'{_mark(console, "failed")} {verdict}')
    console.print(Panel.fit(text, box=HEAVY, style='bold red'), soft_wrap=False)


def print_summary(outcome: RunOutcome, stream: TextIO) -> None:
    """Show what came of a run that reached the gate, on one screen."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    console.print()
    if outcome.pushed is not None:
        console.print(Text('BLESSED, and pushed', style='bold green'))
    elif outcome.withdrawn is not None:
        console.print(Text('BLESSED, but withdrawn: not pushed again', style='bold yellow'))
    else:
        _print_bad_end(console, 'NOT BLESSED: nothing was pushed')
    console.print(_metrics_table(outcome))
    if outcome.nothing_new:
        told = f' ({outcome.spans})' if outcome.spans else ''
        console.print(
            f'Nothing is new: data{told}, settings and code are those of an earlier run.',
            markup=False,
        )
    elif outcome.spans and outcome.state_of('ExampleGen') == 'cached':
        console.print(f'No new data: an earlier run has read {outcome.spans}.', markup=False)
    if outcome.withdrawn is not None:
        for line in withdrawn_lines(outcome):
            console.print(line, markup=False)
    if outcome.baseline is None:
        console.print('There was no baseline: no model had been blessed before.')
    failed = [check for check in outcome.thresholds if not check.passed]
    for check in failed:
        where = f' for {check.slice}' if check.slice else ''
        told = f'{check.metric}{where}: expected {check.bound}, got {_number(check.value)}'
        console.print(f'{_mark(console, "failed")} {told}', markup=False)
        if check.hint:
            console.print(f'  {check.hint}', markup=False)
    facts = {
        'model': _short(outcome.pushed.path) if outcome.pushed is not None else None,
        'run': f'{outcome.run_id}, {outcome.seconds:.1f} s',
        'rejects': outcome.rejects and _short(outcome.rejects),
        'report': outcome.report and _short(outcome.report),
        'log': outcome.log,
    }
    known = {name: value for name, value in facts.items() if value}
    width = max(map(len, known)) + 2
    for name, value in known.items():
        # Not a table, which would cut a long path short.
        console.print(f'{name:<{width}}{value}', markup=False)


def _metrics_table(outcome: RunOutcome) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in ('metric', 'value', 'bound', 'baseline'):
        table.add_column(name, justify='left' if name in ('metric', 'bound') else 'right')
    overall = {c.metric: c for c in reversed(outcome.thresholds) if not c.slice}
    for name in _SHOWN_METRICS:
        check = overall.get(name)
        bounds = ', '.join(c.bound for c in outcome.thresholds if c.metric == name and not c.slice)
        table.add_row(
            name,
            _number(outcome.metrics.get(name)),
            bounds if check else '',
            _number((outcome.baseline or {}).get(name)) if outcome.baseline else 'none',
        )
    for check in outcome.thresholds:
        if check.slice or check.metric not in _SHOWN_METRICS:
            where = f', {check.slice}' if check.slice else ''
            table.add_row(f'{check.metric}{where}', _number(check.value), check.bound, '')
    return table


def print_runs(records: list[dict[str, Any]], stream: TextIO) -> None:
    """Show a table of runs, newest first."""
    rows = [
        (
            record['run_id'],
            record['name'],
            record['data'],
            record['metrics'].get('binary_accuracy'),
            (record['baseline'] or {}).get('binary_accuracy'),
            record['outcome'].replace('_', ' '),
            record['pushed']['version'] if record['pushed'] else '-',
            f'{record["seconds"]:.1f} s',
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
            model['binary_accuracy'],
            model['run_id'] or '-',
            model['path'],
        )
        for model in reversed(models)
    ]
    print_table(('version', 'state', 'accuracy', 'run', 'path'), rows, stream)


def _state(model: dict[str, Any]) -> str:
    told = ['live'] if model['live'] else ['withdrawn'] if model['withdrawn'] else []
    if model['restores']:
        told.append(f'restores {model["restores"]}')
    return ', '.join(told)


def print_table(names: Sequence[str], rows: Sequence[Row], stream: TextIO) -> None:
    """Show a table.

    Args:
        names: Of the columns.
        rows: A number, or None for one that is not known, has four decimals.
        stream: Where to.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in names:
        right = name in ('accuracy', 'baseline', 'duration')
        table.add_column(name, justify='right' if right else 'left', overflow='fold')
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else _number(cell) for cell in row))
    Console(file=stream, highlight=False, width=_width(stream)).print(table)


def _short(path: str) -> str:
    """Leave out the current folder, as the log's path does."""
    here = os.path.join(os.getcwd(), '')
    return path.removeprefix(here)


def _width(stream: TextIO) -> int | None:
    # A pipe has no width: its lines must not be folded at a guessed one.
    return None if stream.isatty() else 200


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.4f}'
