"""Runs a program as a process of its own, and measures its time and memory."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks.archive import ROOT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """Time and memory of a program.

    Attributes:
        wall_seconds: From start to exit.
        cpu_seconds: User and system time, with the children that it waited for.
        peak_bytes: Largest resident set of one of these processes.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """A program that has ended.

    Attributes:
        usage: Its time and memory.
        code: Its exit code, or the negative number of the signal that ended it.
        out: Its standard output.
        err: The end of its standard error.
    """

    usage: Usage
    code: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """Why the program failed, in one line; empty if it did not."""
        if self.code == 0:
            return ''
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return f'exit code {self.code}: {lines[-1] if lines else "no message"}'


def measure(command: Sequence[str], cwd: pathlib.Path) -> Measured:
    """Run a program and wait until it ends.

    Linux counts the memory of the parent for a new process. So the caller must be
    small: it imports neither NumPy nor TensorFlow.

    Args:
        command: Program and arguments.
        cwd: The folder it runs in.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}
    # Files, because a pipe that is not read would block the child.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == 'darwin' else 1024
        return Measured(
            usage=Usage(
                wall_seconds=wall,
                cpu_seconds=usage.ru_utime + usage.ru_stime,
                peak_bytes=usage.ru_maxrss * unit,
            ),
            code=process.returncode,
            out=_text(out.fileno(), tail=None),
            err=_text(err.fileno(), tail=64 << 10),
        )


def _text(file: int, tail: int | None) -> str:
    size = os.fstat(file).st_size
    offset = max(0, size - tail) if tail else 0
    return os.pread(file, size - offset, offset).decode('utf-8', errors='replace')
