"""The part of the terminal that is redrawn while a node runs."""

from __future__ import annotations

import time

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_REDRAWN_PER_SECOND = 5
_LINES_SHOWN = 5  # newest messages
_BAR_CELLS = 40


class LiveNodes:
    """Shows the running nodes, their times and messages, and the number of finished nodes.

    The display is redrawn in place, below other output, and removed at the end.

    Args:
        console: A terminal that can move its cursor.

    Example:
        live = LiveNodes(Console())
        live.start_node('Trainer', '6/9  Trainer', total=9)
        live.add_line('epoch 1/10')
        live.end_node('Trainer')
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = 0
        self._ended = 0
        # By id, where the node is, and when it started.
        self._running: dict[str, tuple[str, float]] = {}
        self._lines: list[str] = []
        self._spinner = Spinner('dots' if can_show(console, '⠋') else 'line')
        self._live: Live | None = None

    def start_node(self, node_id: str, where: str, *, total: int = 0) -> None:
        """Show a node.

        Args:
            node_id: Its id.
            where: Its position and id.
            total: Number of nodes, 0 if it is not known yet.
        """
        self._total = total
        self._running[node_id] = where, time.monotonic()
        self.show()

    def end_node(self, node_id: str) -> None:
        """Show a node and its messages no longer; hide the display until `show`."""
        self.hide()
        if self._running.pop(node_id, None) is not None and self._total:
            self._ended += 1
        # If several nodes run, their messages begin with their ids.
        kept = [line for line in self._lines if not line.startswith(f'{node_id}: ')]
        self._lines = kept if self._running else []

    def show(self) -> None:
        """Show the display if a node is running."""
        if self._live is None and self._running:
            self._live = Live(
                self,
                console=self._console,
                refresh_per_second=_REDRAWN_PER_SECOND,
                transient=True,
                # During a run, both streams go to the log, with the output of frameworks.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def hide(self) -> None:
        """Remove the display."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def add_line(self, line: str) -> None:
        """Show a message of a node below the last messages."""
        self._lines = [*self._lines, line][-_LINES_SHOWN:]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = time.monotonic()
        frame = self._spinner.render(console.get_time())
        assert isinstance(frame, Text)  # because the spinner has no text
        # Another thread draws while nodes start and end.
        for where, started in list(self._running.values()):
            yield _line(f'{frame.plain} {where}{now - started:>6.0f} s')
        for line in self._lines:
            yield _line(f'       {line}')
        if self._total:
            done = f'{self._ended} of {self._total} done'
            width = min(_BAR_CELLS, max(1, options.max_width - len(done) - 4))
            row = Table.grid(padding=(0, 0, 0, 2))
            row.add_row(ProgressBar(self._total, self._ended, width=width), done)
            yield row


def can_show(console: Console, symbol: str) -> bool:
    """Return whether the console's encoding has a symbol."""
    try:
        symbol.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _line(line: str) -> Text:
    # A folded line could not be redrawn in place, so a narrow terminal cuts it.
    return Text(line, no_wrap=True, overflow='ellipsis')
