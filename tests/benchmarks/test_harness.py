"""The harness, in a process as small as the one that uses it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.harness import RunError, measure
from tests.conftest import REPO

# Memory is counted from that of the process that starts another, and pytest is large.
_DRIVER = """
import json, pathlib, sys
from benchmarks.harness import measure
done = measure([sys.executable, '-c', sys.argv[1]], cwd=pathlib.Path('.'))
print(json.dumps(done.usage))
"""


def usage_of(program: str, cwd: pathlib.Path) -> Any:
    done = subprocess.run(
        [sys.executable, '-c', _DRIVER, program],
        cwd=cwd,
        env={'PYTHONPATH': str(REPO), 'PATH': ''},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_peak_is_measured_when_the_child_allocates(tmp_path: pathlib.Path) -> None:
    peak = usage_of('block = b"x" * 200_000_000', tmp_path)['peak_bytes']
    assert 200_000_000 <= peak <= 260_000_000


def test_peak_is_measured_when_a_grandchild_allocates(tmp_path: pathlib.Path) -> None:
    program = (
        'import subprocess, sys; subprocess.run([sys.executable, "-c", "b\'x\' * 200_000_000"])'
    )
    assert usage_of(program, tmp_path)['peak_bytes'] >= 200_000_000


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')
def test_peak_is_the_sum_when_two_children_hold_memory_at_a_time(tmp_path: pathlib.Path) -> None:
    program = (
        'import subprocess, sys\n'
        'hold = "import time; block = b\'x\' * 100_000_000; time.sleep(1.5)"\n'
        'children = [subprocess.Popen([sys.executable, "-c", hold]) for _ in range(2)]\n'
        'sys.exit(sum(child.wait() for child in children))'
    )
    assert 200_000_000 <= usage_of(program, tmp_path)['peak_bytes'] <= 260_000_000


def test_cpu_is_counted_when_busy_and_wall_when_asleep(tmp_path: pathlib.Path) -> None:
    busy = usage_of('import time\nwhile time.process_time() < 1: pass', tmp_path)
    assert 1 <= busy['cpu_seconds'] <= 1.5
    asleep = usage_of('import time; time.sleep(1)', tmp_path)
    assert asleep['cpu_seconds'] < 0.5
    assert asleep['wall_seconds'] >= 1


@pytest.mark.parametrize(
    ('program', 'failure'),
    [
        ('import sys; sys.exit("out of luck")', 'exit code 1: out of luck'),
        ('import os; os.kill(os.getpid(), 9)', 'exit code -9: no message'),
        ('raise ValueError("what it was")', 'exit code 1: ValueError: what it was'),
        ('print("done")', "expected JSON, got 'done'"),
        ('', "expected JSON, got ''"),
    ],
)
def test_error_is_one_line_when_the_child_fails_or_prints_no_json(
    program: str, failure: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(RunError) as caught:
        measure([sys.executable, '-c', program], cwd=tmp_path).json()
    assert str(caught.value) == failure


@pytest.mark.parametrize('printed', ['{"a": 1}', '{"a":\n 1}', 'some text\n{"a": 1}\n'])
def test_json_is_all_of_the_output_or_its_last_line(printed: str, tmp_path: pathlib.Path) -> None:
    assert measure([sys.executable, '-c', f'print({printed!r})'], cwd=tmp_path).json() == {'a': 1}


def test_complete_output_is_read_when_the_child_prints_megabytes(tmp_path: pathlib.Path) -> None:
    program = 'import sys; print("y" * 1_000_000); print("z" * 1_000_000, file=sys.stderr)'
    done = measure([sys.executable, '-c', program], cwd=tmp_path)
    assert (done.code, len(done.out)) == (0, 1_000_001)
