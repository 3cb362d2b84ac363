"""Redirects the output of the frameworks from the terminal to a log file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import NamedTuple, TextIO


class Terminal(NamedTuple):
    """The standard streams that the process was started with."""

    out: TextIO
    err: TextIO


@contextlib.contextmanager
def framework_noise_to(path: pathlib.Path) -> Iterator[Terminal]:
    """Redirect all printed and logged output to a file for the duration of the block.

    The C++ code of TensorFlow and ML Metadata writes to the file descriptors, so these
    are redirected as well as Python's streams.

    Args:
        path: The log file, which is appended to. Its folder is created if missing.

    Yields:
        Streams that still reach the terminal.

    Example:
        with framework_noise_to(root / 'logs' / 'run.log') as terminal:
            print('training', file=terminal.err)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        log = open(path, 'a', encoding='utf-8', errors='replace', buffering=1)  # noqa: SIM115
        stack.callback(_close, log)
        terminal = Terminal(_duplicate(sys.stdout, stack), _duplicate(sys.stderr, stack))
        for stream in (1, 2):
            stack.enter_context(_redirected(stream, log.fileno()))
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        stack.enter_context(_logging_to(log))
        yield terminal


def no_framework_noise() -> contextlib.AbstractContextManager[Terminal]:
    """Discard all printed and logged output for the duration of the block."""
    return framework_noise_to(pathlib.Path(os.devnull))


def _close(log: TextIO) -> None:
    # On a full disk the last lines are lost, which must not fail the run.
    with contextlib.suppress(OSError):
        log.close()


def _duplicate(stream: TextIO, stack: contextlib.ExitStack) -> TextIO:
    try:
        descriptor = os.dup(stream.fileno())
    except (AttributeError, io.UnsupportedOperation):  # the stream of a test or a notebook
        return stream
    return stack.enter_context(
        open(descriptor, 'w', encoding=stream.encoding, errors='replace', buffering=1)
    )


@contextlib.contextmanager
def _redirected(descriptor: int, target: int) -> Iterator[None]:
    saved = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


@contextlib.contextmanager
def _logging_to(log: TextIO) -> Iterator[None]:
    root = logging.getLogger()
    saved, saved_level = root.handlers[:], root.level
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s'))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = saved
        root.setLevel(saved_level)
