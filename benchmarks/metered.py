"""Runs a command of `pipeline_runner.py`, and keeps what each node took.

    python -m benchmarks.metered FILE run --data …

A process of its own: the kernel's mark of its peak memory is set back before
each node, so that it is not that of the whole run in the end. Linux alone can do
that.
"""

from __future__ import annotations

import json
import pathlib
import re
import resource
import sys
import time

from pipeline.cli.main import main
from pipeline.results.outcome import NodeResult
from pipeline.terminal import console


def cpu_seconds() -> float:
    """Return user and system time of this process, and of all children it waited for."""
    # Not os.times, which counts in hundredths.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def forget_peak() -> None:
    """Begin to measure the peak of the memory anew."""
    pathlib.Path('/proc/self/clear_refs').write_text('5', encoding='ascii')


def peak_bytes() -> int:
    """Return the largest resident set since `forget_peak`."""
    status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
    found = re.search(r'^VmHWM:\s+(\d+) kB$', status, re.MULTILINE)
    assert found, 'Linux says it of each process'
    return int(found[1]) << 10


class _Meter(console.ProgressLines):
    """Who is told of each node, with a clock in the hand."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._nodes: dict[str, dict[str, float]] = {}
        self._before = 0.0

    def node_started(self, index: int, total: int, node_id: str) -> None:
        super().node_started(index, total, node_id)
        forget_peak()
        self._before = cpu_seconds()

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        self._nodes[result.id] = {
            'seconds': result.seconds,
            'cpu_seconds': round(cpu_seconds() - self._before, 3),
            'peak_bytes': peak_bytes(),
        }
        _FILE.write_text(json.dumps(self._nodes), encoding='utf-8')
        super().node_finished(index, total, result)


_FILE = pathlib.Path()

if __name__ == '__main__':
    _FILE = pathlib.Path(sys.argv[1])
    # The command imports it by this name when it runs.
    console.ProgressLines = _Meter  # type: ignore[misc]
    main.main(args=sys.argv[2:], standalone_mode=False)
