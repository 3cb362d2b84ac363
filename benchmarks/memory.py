"""Measures the memory of a process and its descendants while they run (Linux only)."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

SAMPLE_SECONDS = 0.25
# Proportional set sizes are read if the resident sets grow by this factor, and otherwise for
# this share of the time at most.
_GROWTH = 1.05
_SHARE = 0.04
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
        largest, due = 0.0, 0.0
        while not self._closed.wait(SAMPLE_SECONDS):
            resident = resident_bytes(self._pid)
            # Pages that several processes share count several times, so it is an upper bound.
            bound = sum(resident.values())
            if len(resident) == 1 or bound <= self.peak_bytes:
                continue
            # The kernel takes 15 ms to add up the proportional set size of a process of 1 GiB.
            start = time.monotonic()
            if bound > _GROWTH * largest or start >= due:
                largest = max(largest, bound)
                self.peak_bytes = max(self.peak_bytes, sum(map(proportional_bytes, resident)))
                due = start + (time.monotonic() - start) / _SHARE


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


def process_stats() -> Iterator[tuple[int, list[bytes]]]:
    """Yield all processes, each with the fields of /proc/PID/stat from its state on."""
    # pathlib takes twice the time, and this runs beside what is measured.
    names = os.listdir('/proc') if os.path.isdir('/proc') else []
    for pid in map(int, filter(str.isdecimal, names)):
        # A process may end at any time.
        with contextlib.suppress(OSError), open(f'/proc/{pid}/stat', 'rb') as file:
            # The name before these fields may contain spaces and parentheses.
            yield pid, file.read().rpartition(b')')[2].split()
