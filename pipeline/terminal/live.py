"""The part of the terminal that changes while a node works."""

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
_LINES_SHOWN = 5  # of what a node says
_BAR_CELLS = 40


class LiveNode:
    """Shows the node that works, for how long, what it says, and how many are done.

    It is redrawn in place, below all that is printed to the console meanwhile,
    and leaves nothing behind.

    Args:
        console: A terminal that can move its cursor.
        where: The node, as the line that stays will have it.
        done: How many nodes are done.
        total: How many there are; 0 if that is not known yet.
    """

    def __init__(self, console: Console, where: str, *, done: int = 0, total: int = 0) -> None:
        self._where = where
        self._done = done
        self._total = total
        self._started = time.monotonic()
        self._said: deque[str] = deque(maxlen=_LINES_SHOWN)
        self._spinner = Spinner('dots' if can_show(console, '⠋') else 'line')
        self._live = Live(
            self,
            console=console,
            refresh_per_second=_REDRAWN_PER_SECOND,
            transient=True,
            # They are the log's at this time; what frameworks print belongs there.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Begin to show it."""
        self._live.start()

    def stop(self) -> None:
        """Take it away."""
        self._live.stop()

    def say(self, line: str) -> None:
        """Show what the node says, below the last few things that it said."""
        self._said.append(line)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        seconds = time.monotonic() - self._started
        frame = self._spinner.render(console.get_time())
        assert isinstance(frame, Text)  # a spinner without a text of its own
        yield _line(f'{frame.plain} {self._where}{seconds:>6.0f} s')
        for said in self._said:
            yield _line(f'       {said}')
        if self._total:
            done = f'{self._done} of {self._total} done'
            width = min(_BAR_CELLS, max(1, options.max_width - len(done) - 4))
            row = Table.grid(padding=(0, 0, 0, 2))
            row.add_row(ProgressBar(self._total, self._done, width=width), done)
            yield row


def can_show(console: Console, symbol: str) -> bool:
    """Say whether the console's encoding has a symbol."""
    try:
        symbol.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _line(line: str) -> Text:
    # A narrow terminal cuts it: were it folded, it could not be redrawn in place.
    return Text(line, no_wrap=True, overflow='ellipsis')
