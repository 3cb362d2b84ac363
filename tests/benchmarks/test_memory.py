"""Memory of several processes, which share pages or end at any time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks import memory

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')

MB = 1_000_000
_TWO_CHILDREN = """
import subprocess, sys
hold = 'import sys; block = b"x" * 100_000_000; print(flush=True); sys.stdin.read()'
children = [subprocess.Popen([sys.executable, '-c', hold], stdout=-1) for _ in range(2)]
for child in children:
    child.stdout.readline()
print(flush=True)
sys.stdin.read()
"""
_FORK = """
import os, sys
block = b'x' * 100_000_000
if os.fork():
    print(flush=True)
sys.stdin.read()
"""
_ENDED_CHILD = """
import os, sys
if not os.fork():
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(request: pytest.FixtureRequest) -> Iterator[int]:
    """Start a program, and return its process when it is ready."""
    command = [sys.executable, '-c', request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        # The end of its input ends it and its descendants.


def total(pid: int) -> int:
    return sum(map(memory.proportional_bytes, memory.resident_bytes(pid)))


@pytest.mark.parametrize('parent', [_TWO_CHILDREN], indirect=True)
def test_memory_of_both_counts_when_two_children_hold_some(parent: int) -> None:
    assert len(memory.resident_bytes(parent)) == 3
    assert 200 * MB <= total(parent) <= 260 * MB


@pytest.mark.parametrize('parent', [_FORK], indirect=True)
def test_memory_counts_once_when_a_fork_shares_it(parent: int) -> None:
    assert sum(memory.resident_bytes(parent).values()) >= 200 * MB
    assert 100 * MB <= total(parent) <= 130 * MB


@pytest.mark.parametrize('parent', [_ENDED_CHILD], indirect=True)
def test_ended_processes_have_no_memory(parent: int) -> None:
    (child,) = memory.resident_bytes(parent).keys() - {parent}
    assert memory.proportional_bytes(child) == 0
    with subprocess.Popen([sys.executable, '-c', '']) as gone:
        pass
    assert memory.resident_bytes(gone.pid) == {gone.pid: 0}
    assert memory.proportional_bytes(gone.pid) == 0


def test_peak_is_left_to_the_kernel_when_there_is_one_process() -> None:
    with subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.6)']) as process:
        with memory.MemorySampler(process.pid) as sampler:
            process.wait()
        assert sampler.peak_bytes == 0
    assert memory.proportional_bytes(os.getpid()) > MB
