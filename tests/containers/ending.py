"""Ends in order: who is asked to end unwinds, and takes along all that he has started."""

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

# What a terminal, a service or `timeout` asks with. Ctrl-C unwinds by itself.
_ASKED = (signal.SIGTERM, signal.SIGHUP)
# Until what was asked to end is killed: the pipeline's commands end within 5.
_SECONDS = 20.0
_LOOK_SECONDS = 0.05


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Have SIGTERM and SIGHUP unwind, as Ctrl-C does; a second one does not break that off."""
    came: list[int] = []

    def unwind(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            raise Terminated(f'stopped by {signal.Signals(number).name}')

    with _handled(unwind, _ASKED):
        yield


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put signals off until the end of the block: Ctrl-C, and the end of a test's time, too."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGALRM, *_ASKED)
    with _handled(lambda number, _: came.append(number), numbers):
        yield
    for number in came:
        signal.raise_signal(number)


@contextlib.contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], numbers: Sequence[signal.Signals]
) -> Iterator[None]:
    # What was ignored stays so: `nohup`, or a script's background.
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)


def run(
    command: Sequence[str], *, timeout: float | None = None, **kwargs: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whatever breaks that off ends all that it has started.

    `subprocess.run` kills the command alone, and what that has started lives on.

    Args:
        command: Program and arguments.
        timeout: Seconds that it may take.
        kwargs: Of `subprocess.Popen`.

    Raises:
        subprocess.TimeoutExpired: If it takes longer.
    """
    with started(command, **kwargs) as process:
        out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextlib.contextmanager
def started(command: Sequence[str], **kwargs: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command; an exception in the block ends it, and all that it has started."""
    kwargs.setdefault('stdin', subprocess.DEVNULL)
    # A session of its own: Ctrl-C in a terminal reaches this process alone, which then ends the
    # whole group.
    with subprocess.Popen(command, text=True, start_new_session=True, **kwargs) as process:
        try:
            yield process
        except BaseException:
            end_all(process)
            raise


def end_all(process: subprocess.Popen[str]) -> None:
    """Ask a command of `started`, and all it has started, to end; after a while kill them."""
    deadline = time.monotonic() + _SECONDS
    try:
        asked = _signal_group(process, signal.SIGTERM)
        while asked and _is_left(process) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
    finally:
        # At once where somebody presses Ctrl-C again.
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _is_left(process: subprocess.Popen[str]) -> bool:
    # Whoever has ended must be waited for to be gone.
    process.poll()
    return _signal_group(process, 0)


def _signal_group(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to the group that the process began; tell whether anybody is in it."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
