"""Ctrl-C and SIGTERM: a command unwinds, or is ended where it cannot.

Python's own handler runs in the main thread, between two bytecodes. A call of
TensorFlow's may keep that from happening for minutes, and a library may catch
what the handler raises. So a thread watches, too: the signal reaches it through
a pipe that C code writes to. Where the command has not ended after a few
seconds, the thread ends the process: no worse than SIGKILL, which a run must
bear anyway.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

# Both together are below the 5 s within which a command stops.
_UNWINDING_SECONDS = 3.0
_LAST_WORDS_SECONDS = 1.0
# `timeout`, a shell and a terminal may each pass on the one signal that was meant.
_SAME_SIGNAL_SECONDS = 0.3
_SHOW_CURSOR = b'\x1b[?25h'
_NAMES = {signal.SIGINT: 'interrupted', signal.SIGTERM: 'terminated'}


class Terminated(KeyboardInterrupt):
    """SIGTERM came: it unwinds as Ctrl-C does, but is never how a command is meant to end."""


class _State:
    """What the process has been told. There is one: signals are the process's."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.next_step = ''
        self.last_words: list[Callable[[KeyboardInterrupt], None]] = []


_state = _State()


def obeyed(command: Callable[[], int]) -> int:
    """Run a command that Ctrl-C and SIGTERM end within seconds, and return its exit code.

    Only for the main thread of a process that ends with the command.
    """
    try:
        _install()
        return command()
    except KeyboardInterrupt:  # on the way into the command, or out of it
        print(last_line(), file=sys.stderr)
        return exit_code()
    finally:
        # Nothing is left to unwind: signals are the system's again.
        for number in _NAMES:
            if signal.getsignal(number) is _unwind:
                signal.signal(number, signal.SIG_DFL)


def _install() -> None:
    """Have the signals raise KeyboardInterrupt, once, and watch what comes of it.

    What was ignored when the process began stays so: `nohup`, or a script's
    background.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # Python's standard error may be a log file by then.
    try:
        terminal = os.dup(2)
    except OSError:
        terminal = None
    threading.Thread(target=_watch, args=(reader, terminal), daemon=True).start()
    for number in _NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _unwind)


def behind(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt that an error comes of, None if it comes of none.

    Libraries make errors of their own of it, as TensorFlow does in a generator.
    """
    if _state.received is not None:
        return _error(_state.received)
    return error if isinstance(error, KeyboardInterrupt) else None


def check() -> None:
    """Raise again what a library may have swallowed.

    Raises:
        KeyboardInterrupt: If a signal came.
    """
    if _state.received is not None:
        raise _error(_state.received)


def exit_code() -> int:
    """Return 128 and the number of the signal, as shells do; Ctrl-C's if none is known."""
    return 128 + (_state.received or signal.SIGINT)


def last_line() -> str:
    """Return the line that a person reads last."""
    next_step = _state.next_step or 'the same command begins anew'
    return f'{_NAMES[signal.Signals(_state.received or signal.SIGINT)]}; {next_step}'


@contextlib.contextmanager
def resuming(next_step: str) -> Iterator[None]:
    """Say, for the time of the block, what a person can do who stops it there."""
    outside, _state.next_step = _state.next_step, next_step
    try:
        yield
    finally:
        # What was stopped inside is told of outside.
        if _state.received is None:
            _state.next_step = outside


@contextlib.contextmanager
def last_words(say: Callable[[KeyboardInterrupt], None]) -> Iterator[None]:
    """Have something done where the process is ended inside the block, not unwound.

    Args:
        say: Is called in another thread, has a second, and must not need a lock
            that the main thread may hold.
    """
    _state.last_words.append(say)
    try:
        yield
    finally:
        _state.last_words.remove(say)


def _unwind(number: int, frame: FrameType | None) -> None:
    # What comes second must not break off the unwinding; the thread sees it, too.
    if _state.received is None:
        _state.received = number
        raise _error(number)


def _error(number: int) -> KeyboardInterrupt:
    kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
    return kind(f'stopped by {signal.Signals(number).name}')


def _watch(reader: int, terminal: int | None) -> None:
    number = _next_signal(reader)
    came = time.monotonic()
    while _next_signal(reader, came + _UNWINDING_SECONDS - time.monotonic()) is not None:
        if time.monotonic() - came > _SAME_SIGNAL_SECONDS:
            break
    assert number is not None  # without a limit, it is waited for
    _state.received = number
    _end(number, terminal)


def _next_signal(reader: int, seconds: float = math.inf) -> int | None:
    """Return the number of the next signal that is one of ours, None if the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], None if math.isinf(left) else left)[0]:
            return None
        (number,) = os.read(reader, 1)
        # Other signals with a handler are written here as well.
        if number in _NAMES:
            return number


def _end(number: int, terminal: int | None) -> None:
    """End the process, for the main thread does not; nothing here may wait for it."""
    words = threading.Thread(target=_say_last_words, args=(_error(number),), daemon=True)
    words.start()
    words.join(_LAST_WORDS_SECONDS)
    if terminal is not None:
        line = last_line().encode(errors='replace')
        if os.isatty(terminal):
            line = b'\r' + _SHOW_CURSOR + b'\n' + line
        with contextlib.suppress(OSError):
            os.write(terminal, line + b'\n')
    os._exit(128 + number)


def _say_last_words(error: KeyboardInterrupt) -> None:
    for say in reversed(_state.last_words):
        try:
            say(error)
        except Exception as err:  # the next one has something to say, too
            print(f'{type(err).__name__}: {err}', file=sys.stderr)
