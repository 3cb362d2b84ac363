"""Runs a command of `pipeline_runner.py`, and writes the usage of each node to a file.

    python -m benchmarks.node_usage FILE run --data …

Resets the peak memory of this process before each node, which only Linux supports.
"""

from __future__ import annotations

import json
import pathlib
import re
import resource
import sys
import time
from typing import ClassVar

from pipeline.cli.main import main
from pipeline.results.outcome import NodeResult
from pipeline.terminal import console

_PROCESS = pathlib.Path('/proc/self')


def cpu_seconds() -> float:
    """Return user and system time of this process and of the children that it waited for."""
    # os.times has a resolution of 10 ms only.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_bytes() -> int:
    """Return the largest resident set since the last reset."""
    status = (_PROCESS / 'status').read_text(encoding='utf-8')
    (peak,) = re.findall(r'^VmHWM:\s+(\d+) kB$', status, re.MULTILINE)
    return int(peak) << 10


class NodeUsage(console.ProgressLines):
    """Shows the progress of a run, and writes the usage of its nodes to `file`."""

    file: pathlib.Path
    _nodes: ClassVar[dict[str, dict[str, float]]] = {}

    def node_started(self, index: int, total: int, node_id: str) -> None:
        super().node_started(index, total, node_id)
        (_PROCESS / 'clear_refs').write_text('5', encoding='ascii')
        self._before = cpu_seconds()

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        self._nodes[result.id] = {
            'seconds': result.seconds,
            'cpu_seconds': round(cpu_seconds() - self._before, 3),
            'peak_bytes': peak_bytes(),
        }
        self.file.write_text(json.dumps(self._nodes), encoding='utf-8')
        super().node_finished(index, total, result)


if __name__ == '__main__':
    NodeUsage.file = pathlib.Path(sys.argv[1])
    # The command imports this class when it runs.
    console.ProgressLines = NodeUsage  # type: ignore[misc]
    main.main(args=sys.argv[2:], standalone_mode=False)
