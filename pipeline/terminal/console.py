"""Shows runs in the terminal: a line for each node, a summary, and tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, TextIO

from rich.box import HEAVY
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from components.common.progress import PROGRESS_LOGGER
from components.evaluator.metric_table import ACCURACY, format_metric
from pipeline.results.outcome import NodeResult, RunOutcome, State
from pipeline.terminal.live import LiveNodes, can_show

Row = Sequence[str | float | None]

_LOADING = 'loading'
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

    On a terminal, the running nodes are redrawn below these lines, see
    `live.LiveNodes`. Elsewhere, each message is a line.

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
        is_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = LiveNodes(self._console) if is_live else None
        self._id_width = 18
        self._failed = ''

    def __enter__(self) -> ProgressLines:
        logging.getLogger(PROGRESS_LOGGER).addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger(PROGRESS_LOGGER).removeHandler(self)
        if self._live is not None:
            self._live.hide()
        if self._failed:
            self._console.print()
            print_in_box(self._console, f'Failed: {self._failed}')

    def starting(self, line: str) -> None:
        """Show the run that is about to start."""
        self._print(line)
        if self._live is not None:
            self._live.start_node(_LOADING, 'loading TensorFlow and TFX')

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False)

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        """Make the column of node ids wide enough for these ids."""
        self._id_width = max(self._id_width, *map(len, node_ids))

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Show that a node is running."""
        if self._live is not None:
            self._live.end_node(_LOADING)
            self._live.start_node(node_id, self._place(index, total, node_id), total=total)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a progress message of a node."""
        if self._live is not None:
            self._live.add_line(record.getMessage())
        else:
            self._print(f'       {record.getMessage()}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Show the result of a node."""
        style, mark = _STYLES[result.state], mark_of(self._console, result.state)
        # In a pipe or file, only a failure has a mark.
        line = Text(f'{mark} ' if self._live is not None else '', style=style)
        line.append(self._place(index, total, result.id), style='none')
        time = f'{result.seconds:.1f} s' if result.state == 'executed' else result.state
        if result.state == 'failed':
            self._failed = result.id
            time = 'failed' if self._live is not None else f'{mark} failed'
        line.append(f'{time:>8}   ', style=style)
        if self._live is not None:
            self._live.end_node(result.id)
            self._print_folded(line, result.note)
            self._live.show()
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


def mark_of(console: Console, state: State) -> str:
    """Return the mark of a state, in ASCII if the stream has no other characters."""
    symbol, ascii_symbol = _MARKS[state]
    return symbol if can_show(console, symbol) else ascii_symbol


def print_in_box(console: Console, message: str) -> None:
    """Show a message about a failure in a box."""
    text = Text(f'{mark_of(console, "failed")} {message}')
    console.print(Panel.fit(text, box=HEAVY, style='bold red'), soft_wrap=False)


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


def _width(stream: TextIO) -> int | None:
    # A pipe has no width, so its lines must not be folded at the default width.
    return None if stream.isatty() else 200
