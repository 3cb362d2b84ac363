"""Tells that a worker is alive while it reads, and while it waits for others that still read."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from components.trainer.distribution.loop import Team

_BEAT_SECONDS = 1.0


class Pulse:
    """Beats in which all workers take part while any of them reads.

    One that has read its part must not be taken for one that stands still while it
    waits, nor may it wait for ever for one that does. So all meet again and again:
    who waits is alive as long as those that read come.

    Args:
        team: Who reads.
        alive: Is told of each sign of life.
        beat_seconds: How long a worker reads between two beats, at least.
    """

    def __init__(
        self, team: Team, alive: Callable[[], None], *, beat_seconds: float = _BEAT_SECONDS
    ) -> None:
        self._team = team
        self._alive = alive
        self._beat_seconds = beat_seconds
        self._last = time.monotonic()

    def beat(self) -> None:
        """Say that this worker reads; to be called again and again."""
        self._alive()
        if self._team.workers > 1 and time.monotonic() - self._last >= self._beat_seconds:
            self._meet(reading=True)

    def wait(self) -> None:
        """Wait, now that this worker has read all of its part, until all have."""
        while self._team.workers > 1 and self._meet(reading=False):
            pass

    def _meet(self, *, reading: bool) -> int:
        """Return how many workers read."""
        count = int(self._team.total(np.array([reading], np.int64))[0])
        self._alive()
        self._last = time.monotonic()
        return count
