"""Shows how far a file is."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from rich import progress
from rich.console import Console


class Progress:
    """A bar of the bytes that were read, with rows and their rate; nothing but on a terminal.

    Args:
        stream: Where to.
        size_bytes: Of the file, as it is stored.
    """

    def __init__(self, stream: TextIO, size_bytes: int) -> None:
        console = Console(file=stream)
        self._size_bytes = size_bytes
        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TextColumn('{task.fields[rows]}'),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._began = time.monotonic()

    def __enter__(self) -> Progress:
        self._bar.start()
        self._task = self._bar.add_task('', total=self._size_bytes or None, rows='')
        return self

    def update(self, bytes_read: int, rows: int) -> None:
        """Show that so much was read, and so many rows are done."""
        rate = rows / max(time.monotonic() - self._began, 1e-3)
        self._bar.update(
            self._task, completed=bytes_read, rows=f'{rows:,} rows, {rate:,.0f} rows/s'
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
