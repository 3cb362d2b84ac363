"""The part of the terminal that is redrawn while a node runs."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_REDRAWN_PER_SECOND = 5
_LINES_SHOWN = 5  # newest messages of a node
_BAR_CELLS = 40


class LiveNode:
    """Shows the current node, its time and messages, and the number of finished nodes.

    The display is redrawn in place, below other output, and removed at the end.

    Args:
        console: A terminal that can move its cursor.
        where: Position and id of the node.
        done: Number of finished nodes.
        total: Number of nodes, 0 if it is not known yet.

    Example:
        live = LiveNode(Console(), '6/9  Trainer', done=5, total=9)
        live.start()
        live.add_line('epoch 1/10')
        live.stop()
    """

    def __init__(self, console: Console, where: str, *, done: int = 0, total: int = 0) -> None:
        self._where = where
        self._done = done
        self._total = total
        self._started = time.monotonic()
        self._lines: deque[str] = deque(maxlen=_LINES_SHOWN)
        self._spinner = Spinner('dots' if can_show(console, '⠋') else 'line')
        self._live = Live(
            self,
            console=console,
            refresh_per_second=_REDRAWN_PER_SECOND,
            transient=True,
            # During a run, both streams go to the log already, with the output of frameworks.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Start the display."""
        self._live.start()

    def stop(self) -> None:
        """Remove the display."""
        self._live.stop()

    def add_line(self, line: str) -> None:
        """Show a message of the node below its last messages."""
        self._lines.append(line)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        seconds = time.monotonic() - self._started
        frame = self._spinner.render(console.get_time())
        assert isinstance(frame, Text)  # because the spinner has no text
        yield _line(f'{frame.plain} {self._where}{seconds:>6.0f} s')
        for line in self._lines:
            yield _line(f'       {line}')
        if self._total:
            done = f'{self._done} of {self._total} done'
            width = min(_BAR_CELLS, max(1, options.max_width - len(done) - 4))
            row = Table.grid(padding=(0, 0, 0, 2))
            row.add_row(ProgressBar(self._total, self._done, width=width), done)
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
