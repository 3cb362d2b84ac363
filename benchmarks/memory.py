"""Measures the memory of a process and its descendants while they run (Linux only)."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import threading
from collections import defaultdict
from collections.abc import Iterator

SAMPLE_SECONDS = 0.25
_PAGE = os.sysconf('SC_PAGE_SIZE')
_PSS = re.compile(r'^Pss:\s+(\d+) kB$', re.MULTILINE)


class MemorySampler(threading.Thread):
    """Samples the memory of several processes while the context is open.

    The kernel records the peak of each process (`ru_maxrss`), but not that of their sum.

    Attributes:
        peak_bytes: Largest memory of a process and its descendants in one sample; 0 if the
            process never had a descendant, or without /proc.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._pid = pid
        self._closed = threading.Event()

    def __enter__(self) -> MemorySampler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self.join()

    def run(self) -> None:
        while not self._closed.wait(SAMPLE_SECONDS):
            resident = resident_bytes(self._pid)
            # The kernel takes 15 ms to add up the proportional set size of a process of 1 GiB.
            if len(resident) > 1 and sum(resident.values()) > self.peak_bytes:
                self.peak_bytes = max(self.peak_bytes, sum(map(proportional_bytes, resident)))


def resident_bytes(pid: int) -> dict[int, int]:
    """Return the resident set size of a process and its descendants, by process."""
    children, sizes = defaultdict(list), {}
    for process, fields in process_stats():
        children[int(fields[1])].append(process)
        sizes[process] = int(fields[21]) * _PAGE
    found = [pid]
    for process in found:
        found += children[process]
    return {process: sizes.get(process, 0) for process in found}


def proportional_bytes(pid: int) -> int:
    """Return the memory of a process; a page of n processes counts 1/n; 0 after its end."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='utf-8')
        if found := _PSS.search(text):
            return int(found[1]) << 10
    return 0


def process_stats() -> Iterator[tuple[int, list[str]]]:
    """Yield all processes, each with the fields of /proc/PID/stat from its state on."""
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        # A process may end at any time.
        with contextlib.suppress(OSError):
            # The name before these fields may contain spaces and parentheses.
            yield int(folder.name), (folder / 'stat').read_text().rpartition(')')[2].split()
