"""Runs a command of `pipeline_runner.py`, and writes the usage of each node to a file.

    python -m benchmarks.metered FILE run --data …

Resets the peak memory of this process before each node, which only Linux supports.
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
    """Return user and system time of this process and of the children that it waited for."""
    # os.times has a resolution of 10 ms only.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def reset_peak() -> None:
    pathlib.Path('/proc/self/clear_refs').write_text('5', encoding='ascii')


def peak_bytes() -> int:
    """Return the largest resident set since `reset_peak`."""
    status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
    found = re.search(r'^VmHWM:\s+(\d+) kB$', status, re.MULTILINE)
    assert found, 'expected VmHWM in /proc/self/status'
    return int(found[1]) << 10


class _Meter(console.ProgressLines):
    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._nodes: dict[str, dict[str, float]] = {}
        self._before = 0.0

    def node_started(self, index: int, total: int, node_id: str) -> None:
        super().node_started(index, total, node_id)
        reset_peak()
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
    # The command imports this class when it runs.
    console.ProgressLines = _Meter  # type: ignore[misc]
    main.main(args=sys.argv[2:], standalone_mode=False)
