"""Run commands so that an interruption ends them and every process that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from pipeline.process.signals import Terminated

# Sent by a terminal, a service or `timeout`. Ctrl-C raises an exception by itself.
_TERMINATING = (signal.SIGTERM, signal.SIGHUP)
# The pipeline's commands end within 5 seconds of SIGTERM; what is left after this is killed.
_TERMINATION_SECONDS = 20.0
_POLL_SECONDS = 0.05


@contextlib.contextmanager
def raise_when_terminated() -> Iterator[None]:
    """Raise `Terminated` on the first SIGTERM or SIGHUP, and ignore further ones."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Terminated(f'stopped by {signal.Signals(number).name}')

    with _handle_signals(handle, _TERMINATING):
        yield


@contextlib.contextmanager
def defer_signals() -> Iterator[None]:
    """Defer Ctrl-C, SIGTERM, SIGHUP and the timeout of a test to the end of the block."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGALRM, *_TERMINATING)
    with _handle_signals(lambda number, _: received.append(number), numbers):
        yield
    for number in received:
        signal.raise_signal(number)


@contextlib.contextmanager
def _handle_signals(
    handler: Callable[[int, FrameType | None], None], numbers: Sequence[signal.Signals]
) -> Iterator[None]:
    # A signal that is ignored stays ignored, as `nohup` wants it.
    wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)


def run_command(
    command: Sequence[str], *, timeout: float | None = None, **kwargs: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does with its arguments.

    Unlike `subprocess.run`, an exception ends the whole process group.

    Raises:
        subprocess.TimeoutExpired: If the command takes more than `timeout` seconds.
    """
    with start_command(command, **kwargs) as process:
        out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextlib.contextmanager
def start_command(command: Sequence[str], **kwargs: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process group; an exception in the block ends the whole group."""
    kwargs.setdefault('stdin', subprocess.DEVNULL)
    with subprocess.Popen(command, text=True, start_new_session=True, **kwargs) as process:
        try:
            yield process
        except BaseException:
            terminate_group(process)
            raise


def terminate_group(process: subprocess.Popen[str]) -> None:
    """Terminate the process group of a command; kill what does not end in time."""
    deadline = time.monotonic() + _TERMINATION_SECONDS
    try:
        _signal_group(process, signal.SIGTERM)
        while _signal_group(process, 0) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            process.poll()
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to a process group, and return whether there is any process in it."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
