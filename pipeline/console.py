"""What a person sees of a run: a line per node, then a summary of one screen."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from components.progress import PROGRESS_LOGGER
from pipeline.outcome import NodeResult, RunOutcome

_SHOWN_METRICS = (
    'binary_accuracy',
    'loss',
    'auc',
    'precision',
    'recall',
    'calibration',
    'expected_calibration_error',
)
_STATE_STYLE = {'executed': 'green', 'cached': 'cyan', 'failed': 'bold red', 'skipped': 'dim'}


class ProgressLines(logging.Handler):
    """Shows how a run goes, on stderr: a line per node, and what the node says meanwhile.

    On a terminal, what a node says replaces itself; elsewhere each is a line.

    Args:
        stream: Where to.
        quiet: Show nothing at all.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        super().__init__(logging.INFO)
        self._console = Console(file=stream, quiet=quiet, highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._where = ''
        self._id_width = 18

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

    def starting(self, line: str) -> None:
        """Show what is about to run."""
        self._say(line)
        self._wait('loading TensorFlow and TFX')

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def _wait(self, what: str) -> None:
        self._stop()
        if self._console.is_terminal:
            self._status = self._console.status(Text(what))
            self._status.start()

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        """Leave room for the longest of these ids."""
        self._id_width = max(self._id_width, *map(len, node_ids))

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Show that a node works."""
        self._where = f'{index}/{total}  {node_id}'
        self._wait(self._where)

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a node says of its progress."""
        line = f'{self._where}  {record.getMessage()}'
        if self._status is not None:
            self._status.update(Text(line))
        else:
            self._say(f'       {record.getMessage()}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Show the line that stays."""
        self._stop()
        time = result.state if result.state != 'executed' else f'{result.seconds:.1f} s'
        line = Text(f'{index:>2}/{total}  {result.id:<{self._id_width}}')
        line.append(f'{time:>8}', style=_STATE_STYLE[result.state])
        line.append(f'   {result.note}')
        line.rstrip()
        self._console.print(line)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def print_summary(outcome: RunOutcome, stream: TextIO) -> None:
    """Show what came of a run that reached the gate, on one screen."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    console.print()
    if outcome.pushed is not None:
        console.print(Text('BLESSED, and pushed', style='bold green'))
    else:
        console.print(Text('NOT BLESSED: nothing was pushed', style='bold red'))
    console.print(_metrics_table(outcome))
    if outcome.nothing_new:
        told = f' ({outcome.spans})' if outcome.spans else ''
        console.print(
            f'Nothing is new: data{told}, settings and code are those of an earlier run.',
            markup=False,
        )
    elif outcome.spans and outcome.state_of('ExampleGen') == 'cached':
        console.print(f'No new data: an earlier run has read {outcome.spans}.', markup=False)
    if outcome.baseline is None:
        console.print('There was no baseline: no model had been blessed before.')
    failed = [check for check in outcome.thresholds if not check.passed]
    for check in failed:
        where = f' for {check.slice}' if check.slice else ''
        console.print(
            f'✗ {check.metric}{where}: expected {check.bound}, got {_number(check.value)}',
            markup=False,
        )
    facts = Table.grid(padding=(0, 2))
    if outcome.pushed is not None:
        facts.add_row('model', _short(outcome.pushed.path))
    facts.add_row('run', f'{outcome.run_id}, {outcome.seconds:.1f} s')
    if outcome.report is not None:
        facts.add_row('report', _short(outcome.report))
    facts.add_row('log', outcome.log)
    console.print(facts)


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
        if check.slice:
            table.add_row(f'{check.metric}, {check.slice}', _number(check.value), check.bound, '')
    return table


def print_runs(records: list[dict[str, Any]], stream: TextIO) -> None:
    """Show a table of runs, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in ('run', 'name', 'data', 'accuracy', 'baseline', 'outcome', 'version', 'duration'):
        right = name in ('accuracy', 'baseline', 'duration')
        table.add_column(name, justify='right' if right else 'left', overflow='fold')
    for record in reversed(records):
        table.add_row(
            record['run_id'],
            record['name'],
            record['data'],
            _number(record['metrics'].get('binary_accuracy')),
            _number((record['baseline'] or {}).get('binary_accuracy')),
            record['outcome'].replace('_', ' '),
            record['pushed']['version'] if record['pushed'] else '-',
            f'{record["seconds"]:.1f} s',
        )
    Console(file=stream, highlight=False, width=_width(stream)).print(table)


def print_models(models: list[dict[str, Any]], stream: TextIO) -> None:
    """Show a table of pushed versions, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style='dim')
    for name in ('version', 'live', 'accuracy', 'run', 'path'):
        table.add_column(name, justify='right' if name == 'accuracy' else 'left', overflow='fold')
    for model in reversed(models):
        table.add_row(
            model['version'],
            'live' if model['live'] else '',
            _number(model['binary_accuracy']),
            model['run_id'] or '-',
            model['path'],
        )
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
