"""The Beam job of this process that runs on a service, and may go on without this process.

One state for the process, as for its signals: what ends the process looks here.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

# Enough for a job that is still being submitted, with its jars, when it is called off.
ENDING_SECONDS = 30.0
# After that, to clear away what the job wrote.
_CLEARING_SECONDS = 3.0


class _State:
    def __init__(self) -> None:
        self.name = ''
        self.how_to_end = ''
        self.ending_until = 0.0


_state = _State()


def job_started(name: str, how_to_end: str) -> None:
    """Note that a job was handed to a service.

    Args:
        name: Its name on the service.
        how_to_end: What a person can do to end it, a clause without a subject.
    """
    _state.name, _state.how_to_end = name, how_to_end


def job_ended() -> None:
    """Note that the job is known to have ended."""
    _state.name = _state.how_to_end = ''


def job_left() -> str | None:
    """Say that a job may still be running and how to end it; None if none is.

    >>> job_started('reviews-1-transform-0a', 'cancel it in Flink')
    >>> job_left()
    'the Beam job reviews-1-transform-0a may still be running: cancel it in Flink'
    >>> job_ended()
    >>> job_left() is None
    True
    """
    if not _state.name:
        return None
    return f'the Beam job {_state.name} may still be running: {_state.how_to_end}'


@contextlib.contextmanager
def ending_job() -> Iterator[None]:
    """Give an interrupted process the time to end its job.

    Example:
        with ending_job():
            cluster.end_job(name, seconds=ENDING_SECONDS)
    """
    _state.ending_until = time.monotonic() + ENDING_SECONDS + _CLEARING_SECONDS
    try:
        yield
    finally:
        _state.ending_until = time.monotonic() + _CLEARING_SECONDS


def ending_until() -> float:
    """Return until when, on the monotonic clock, the process needs to end its job."""
    return _state.ending_until
