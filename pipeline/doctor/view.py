"""Shows in a terminal what the doctor finds, as soon as it is found."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.doctor.finding import Area, Finding, State
from pipeline.terminal.live import LiveNode, can_show

_MARKS: dict[State, tuple[str, str, str]] = {
    'ok': ('✓', '+', 'green'),
    'warning': ('!', '!', 'yellow'),
    'problem': ('✗', 'x', 'bold red'),
}
_ARROW = ('→', '->')
_TITLES: dict[Area, str] = {
    'installation': 'Installation',
    'store': 'What runs keep',
    'served': 'What is served',
    'data': 'Data',
}
_WHAT_CELLS = len('ExampleValidator')


class Findings:
    """Prints findings below the name of their area.

    Args:
        out: Where findings go.
        err: Where what takes long is shown, if it is a terminal.
        quiet: Show nothing.
    """

    def __init__(self, out: TextIO, err: TextIO, *, quiet: bool) -> None:
        # A command is copied from a pipe as it is, not folded.
        width = None if out.isatty() else 10_000
        self._console = Console(file=out, quiet=quiet, highlight=False, width=width)
        self._status = Console(file=err, quiet=quiet, highlight=False)
        self._live: LiveNode | None = None

    def __enter__(self) -> Findings:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def area(self, area: Area) -> None:
        """Begin with an area."""
        self._stop()
        self._console.print(Text(_TITLES[area], style='bold'))

    def say(self, line: str) -> None:
        """Show what takes long."""
        self._stop()
        if self._status.is_terminal and not self._status.is_dumb_terminal:
            self._live = LiveNode(self._status, line)
            self._live.start()

    def show(self, finding: Finding) -> None:
        """Show what was found."""
        self._stop()
        symbol, ascii_symbol, style = _MARKS[finding.state]
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(width=2, justify='right')
        row.add_column(width=_WHAT_CELLS)
        row.add_column(overflow='fold')
        mark = symbol if can_show(self._console, symbol) else ascii_symbol
        row.add_row(Text(mark, style=style), finding.what, Text(_short(finding.told)))
        if finding.todo:
            arrow = _ARROW[not can_show(self._console, _ARROW[0])]
            row.add_row('', '', Text(f'{arrow} {_short(finding.todo)}', style='bold'))
        self._console.print(row)

    def end(self, findings: list[Finding]) -> None:
        """Show how many there are."""
        self._stop()
        count = {state: sum(f.state == state for f in findings) for state in _MARKS}
        parts = [
            f'{count[state]} {state}{"s"[: count[state] != 1]}'
            for state in ('problem', 'warning')
            if count[state]
        ]
        self._console.print()
        style = _MARKS['problem' if count['problem'] else 'warning' if parts else 'ok'][2]
        self._console.print(Text(', '.join(parts) or 'All is well.', style=style))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _short(text: str) -> str:
    """Leave out the current folder: commands are typed there."""
    return text.replace(os.path.join(os.getcwd(), ''), '')
