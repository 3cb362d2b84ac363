"""Ctrl-C and SIGTERM: a command unwinds, or the process is ended if it cannot.

Python runs signal handlers in the main thread, between two bytecodes. A call into
TensorFlow may delay a handler for minutes, and a library may catch the exception that
the handler raises. A second thread therefore watches a pipe that receives the signals.
If the command has not ended after a few seconds, this thread ends the process. The
effect is that of SIGKILL, which a run must tolerate anyway. A command that is ending its job
on a service gets the time for that.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from components.beam_jobs.running_job import ending_until, job_left

# The sum is below the 5 s within which a command stops.
_UNWINDING_SECONDS = 3.0
_CALLBACK_SECONDS = 1.0
# `timeout`, a shell and a terminal may each pass on one and the same signal.
_SAME_SIGNAL_SECONDS = 0.3
_SHOW_CURSOR = b'\x1b[?25h'
_NAMES = {signal.SIGINT: 'interrupted', signal.SIGTERM: 'terminated'}


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. It unwinds the command as Ctrl-C does."""


class _State:
    """What is known about signals; one instance, since signals belong to the process."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.hint = ''
        self.callbacks: list[Callable[[KeyboardInterrupt], None]] = []


_state = _State()


def exit_on_signal(command: Callable[[], int]) -> int:
    """Run a command that Ctrl-C and SIGTERM end within seconds, and return its exit code.

    Call it in the main thread of a process that ends with the command. A signal that was
    ignored when the process started stays ignored, as with `nohup`.

    Example:
        sys.exit(exit_on_signal(command))
    """
    try:
        _install_handlers()
        return command()
    except KeyboardInterrupt:  # before the command handles it, or after
        print(final_message(), file=sys.stderr)
        return exit_code()
    finally:
        # Nothing is left to unwind.
        for number in _NAMES:
            if signal.getsignal(number) is _raise_interrupt:
                signal.signal(number, signal.SIG_DFL)


def _install_handlers() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # When a signal arrives, standard error may be redirected to a log file.
    try:
        terminal = os.dup(2)
    except OSError:
        terminal = None
    threading.Thread(target=_watch, args=(reader, terminal), daemon=True).start()
    for number in _NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise_interrupt)


def interrupt_cause(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt that caused an error; None if no interrupt did.

    Libraries convert the interrupt to errors of their own, as TensorFlow does in a
    generator.

    >>> interrupt_cause(ValueError()) is None
    True
    """
    if _state.received is not None:
        return _interrupt(_state.received)
    return error if isinstance(error, KeyboardInterrupt) else None


def raise_if_interrupted() -> None:
    """Raise an interrupt again that a library may have caught.

    Raises:
        KeyboardInterrupt: If a signal was received.
    """
    if _state.received is not None:
        raise _interrupt(_state.received)


def exit_code() -> int:
    """Return 128 plus the number of the received signal, as shells do; SIGINT by default."""
    return 128 + (_state.received or signal.SIGINT)


def final_message() -> str:
    """Return the last line that an interrupted command prints."""
    hint = _state.hint or 'to start over, run the same command again'
    name = _NAMES[signal.Signals(_state.received or signal.SIGINT)]
    return '; '.join(filter(None, [name, job_left(), hint]))


@contextlib.contextmanager
def hint_on_interrupt(hint: str) -> Iterator[None]:
    """Set the hint of the final message for the duration of the block.

    Example:
        with hint_on_interrupt('scores.csv was not written'):
            ...
    """
    outer, _state.hint = _state.hint, hint
    try:
        yield
    finally:
        # The hint of the interrupted block stays for the final message.
        if _state.received is None:
            _state.hint = outer


@contextlib.contextmanager
def on_forced_exit(callback: Callable[[KeyboardInterrupt], None]) -> Iterator[None]:
    """Have a function called if the process is ended inside the block without unwinding.

    Args:
        callback: Called in another thread, for at most a second. It must not need a lock
            that the main thread may hold.

    Example:
        with on_forced_exit(lambda error: os.unlink(part)):
            ...
    """
    _state.callbacks.append(callback)
    try:
        yield
    finally:
        _state.callbacks.remove(callback)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    # A second signal must not interrupt the unwinding; the watching thread handles it.
    if _state.received is None:
        _state.received = number
        raise _interrupt(number)


def _interrupt(number: int) -> KeyboardInterrupt:
    kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
    return kind(f'stopped by {signal.Signals(number).name}')


def _watch(reader: int, terminal: int | None) -> None:
    number = _next_signal(reader)
    started = time.monotonic()
    while time.monotonic() < max(started + _UNWINDING_SECONDS, ending_until()):
        repeated = _next_signal(reader, time.monotonic() + _SAME_SIGNAL_SECONDS)
        if repeated is not None and time.monotonic() - started > _SAME_SIGNAL_SECONDS:
            break
    assert number is not None  # the first call has no time limit
    _state.received = number
    _end_process(number, terminal)


def _next_signal(reader: int, deadline: float | None = None) -> int | None:
    """Return the number of the next SIGINT or SIGTERM; None after the deadline."""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], left)[0]:
            return None
        (number,) = os.read(reader, 1)
        # The pipe also receives other signals that have a handler.
        if number in _NAMES:
            return number


def _end_process(number: int, terminal: int | None) -> None:
    # Nothing here may wait for the main thread.
    calls = threading.Thread(target=_call_callbacks, args=(_interrupt(number),), daemon=True)
    calls.start()
    calls.join(_CALLBACK_SECONDS)
    if terminal is not None:
        line = final_message().encode(errors='replace')
        if os.isatty(terminal):
            line = b'\r' + _SHOW_CURSOR + b'\n' + line
        with contextlib.suppress(OSError):
            os.write(terminal, line + b'\n')
    os._exit(128 + number)


def _call_callbacks(error: KeyboardInterrupt) -> None:
    for callback in reversed(_state.callbacks):
        try:
            callback(error)
        except Exception as err:  # the other callbacks must run, too
            print(f'{type(err).__name__}: {err}', file=sys.stderr)
