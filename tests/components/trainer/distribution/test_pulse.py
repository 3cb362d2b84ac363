"""Workers that read for different times; here they are threads."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from components.trainer.distribution.pulse import Pulse

_SECONDS = 30


class Meeting:
    """Where threads add up what they have, as workers do."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.barrier = threading.Barrier(workers)
        self.values: list[Any] = [None] * workers


class Member:
    """Stands for the Team of one of them."""

    def __init__(self, meeting: Meeting, index: int) -> None:
        self.workers = meeting.workers
        self._meeting = meeting
        self._index = index

    def total(self, values: Any) -> Any:
        self._meeting.values[self._index] = values
        self._meeting.barrier.wait(_SECONDS)
        total = np.sum(self._meeting.values, axis=0)
        self._meeting.barrier.wait(_SECONDS)
        return total


def pulses(count: int, beat_seconds: float = 0) -> tuple[list[Any], list[list[float]]]:
    """Return those of some workers, and the signs of life of each."""
    meeting = Meeting(count)
    signs: list[list[float]] = [[] for _ in range(count)]
    made: list[Any] = [
        Pulse(
            Member(meeting, index),  # type: ignore[arg-type]
            lambda told=signs[index]: told.append(time.monotonic()),
            beat_seconds=beat_seconds,
        )
        for index in range(count)
    ]
    return made, signs


def grown_to(signs: list[float], count: int) -> bool:
    end = time.monotonic() + _SECONDS
    while len(signs) < count and time.monotonic() < end:
        time.sleep(0.01)
    return len(signs) == count


def test_worker_that_waits_is_alive_as_long_as_another_one_reads() -> None:
    (fast, slow), (signs, _) = pulses(2)
    waiting = threading.Thread(target=fast.wait, daemon=True)
    waiting.start()
    for number in range(3):
        slow.beat()
        assert grown_to(signs, number + 1)
    # Where the other one stands still, so does this one.
    time.sleep(0.3)
    assert len(signs) == 3
    assert waiting.is_alive()
    slow.wait()
    waiting.join(_SECONDS)
    assert not waiting.is_alive()


@pytest.mark.parametrize('beats', [(0, 0, 0), (1, 5, 2), (7, 0, 3)])
def test_all_go_on_together_when_each_has_read_its_part(beats: tuple[int, ...]) -> None:
    made, signs = pulses(len(beats))

    def read(index: int) -> None:
        for _ in range(beats[index]):
            made[index].beat()
        made[index].wait()

    threads = [threading.Thread(target=read, args=(i,), daemon=True) for i in range(len(beats))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SECONDS)
        assert not thread.is_alive()
    # All meet as often: once for each beat of the one with most, and once when all have read.
    assert {len(told) - count for told, count in zip(signs, beats)} == {max(beats) + 1}


def test_nobody_is_met_when_a_worker_is_alone_or_has_just_met() -> None:
    (one,), (signs,) = pulses(1)
    one.beat()
    one.wait()
    assert len(signs) == 1
    (one, _), (signs, _) = pulses(2, beat_seconds=1_000)
    one.beat()
    assert len(signs) == 1
