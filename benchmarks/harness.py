"""Runs a program as a process of its own, and measures its time and memory."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

from benchmarks.archive import ROOT
from benchmarks.memory import MemorySampler


class RunError(Exception):
    """A program failed. The message is one line."""


class Measured(NamedTuple):
    """A program that has ended.

    Attributes:
        wall_seconds: From start to exit.
        cpu_seconds: User and system time, with the children that it waited for.
        peak_bytes: Largest memory of these processes at a time. It is the largest resident set
            of one process or, on Linux, of samples of their sum, whichever is larger.
        code: Its exit code, or the negative number of the signal that ended it.
        out: Its standard output.
        err: Its standard error.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    code: int
    out: str
    err: str

    @property
    def usage(self) -> dict[str, float]:
        """Time and memory by name."""
        fields = ('wall_seconds', 'cpu_seconds', 'peak_bytes')
        return {name: getattr(self, name) for name in fields}

    def json(self) -> dict[str, Any]:
        """Return the JSON object that the program printed.

        Raises:
            RunError: The program failed, or printed no JSON object.
        """
        if self.code:
            lines = [line.strip() for line in self.err.splitlines() if line.strip()]
            raise RunError(f'exit code {self.code}: {lines[-1] if lines else "no message"}')
        # The pipeline prints one object over many lines. A peer prints it in the last line.
        last = (self.out.strip().splitlines() or [''])[-1]
        for text in (self.out, last):
            try:
                return dict(json.loads(text))
            except (ValueError, TypeError):
                continue
        raise RunError(f'expected JSON, got {last[:100]!r}')


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
            with MemorySampler(process.pid) as memory:
                # Unlike resource.getrusage, this returns the usage of one child.
                _, status, usage = os.wait4(process.pid, 0)
                wall = time.perf_counter() - start
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == 'darwin' else 1024
        return Measured(
            wall_seconds=wall,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            # A sample misses what lasts less than its interval.
            peak_bytes=max(usage.ru_maxrss * unit, memory.peak_bytes),
            code=process.returncode,
            out=_text(out),
            err=_text(err),
        )


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode('utf-8', errors='replace')


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def folder_bytes(folder: pathlib.Path) -> int:
    """Return the size of all files in a folder and its subfolders."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
