"""A small coverage-guided fuzzer: inputs that reach new code are kept and mutated.

No existing one fits: atheris has no wheels for Linux on aarch64 with Python 3.10
and 3.11, and hypofuzz needs a web server and has the licence AGPL. Hypothesis alone
does not know which input reaches new code.
"""

from __future__ import annotations

import collections
import random
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

# An input that takes more CPU time than this is a defect.
_HANG_SECONDS = 10.0
# Longer inputs are slow, and seldom reach more code.
_MAX_BYTES = 1 << 12
_INTERESTING = (b'\0', b'\xff', b'\x80', b'\n', b'\r', b'"', b',', b'9', b'-', b'\xef\xbb\xbf')

Edge = tuple[str, int, int, int]


class Target(NamedTuple):
    """Code to fuzz.

    Attributes:
        check: Takes bytes, and raises an exception if something is wrong.
        seeds: The first inputs.
        words: Building blocks of inputs.
        files: Ends of the paths of the modules whose coverage counts.
        mend: Makes a mutated input plausible again, for example its checksums; it is
            not called for a fifth of them.
    """

    check: Callable[[bytes], None]
    seeds: list[bytes]
    words: list[bytes]
    files: tuple[str, ...]
    mend: Callable[[bytes], bytes] = bytes


class Found(NamedTuple):
    """Number of inputs that were tried and that were kept, and the crashes with their inputs."""

    executions: int
    kept: int
    crashes: list[tuple[bytes, str]]


class _HangError(BaseException):
    """Raised in the target; its own handlers do not catch it."""


class Fuzzer:
    """Searches inputs for which the check of a target raises an exception."""

    def __init__(self, target: Target, *, seed: int = 0) -> None:
        self._target = target
        self._words = [*target.words, *_INTERESTING]
        self._max_bytes = max(_MAX_BYTES, *(2 * len(content) for content in target.seeds))
        self._random = random.Random(seed)
        self._known: set[tuple[Edge, int]] = set()
        self._corpus: list[bytes] = []
        self._crashes: dict[str, tuple[bytes, str]] = {}
        self._executions = 0

    def run(self, seconds: float, *, until_crash: bool = False) -> Found:
        """Try inputs for a number of seconds, or until the first crash."""
        until, choose = time.monotonic() + seconds, self._random
        handler = signal.signal(signal.SIGVTALRM, _raise_hang)
        try:
            for content in self._target.seeds:
                self._try(content)
            self._corpus = self._corpus or [b'']
            while time.monotonic() < until and not (until_crash and self._crashes):
                pair = choose.choice(self._corpus), choose.choice(self._corpus)
                content = self._mutate(min(pair, key=len))
                self._try(self._target.mend(content) if choose.random() < 0.8 else content)
        finally:
            signal.signal(signal.SIGVTALRM, handler)
        return Found(self._executions, len(self._corpus), list(self._crashes.values()))

    def _try(self, content: bytes) -> None:
        self._executions += 1
        counts: collections.Counter[Edge] = collections.Counter()
        signal.setitimer(signal.ITIMER_VIRTUAL, _HANG_SECONDS)
        sys.settrace(self._tracer(counts))
        try:
            self._target.check(content)
        except (Exception, _HangError) as err:
            sys.settrace(None)
            self._crashes.setdefault(_place(err), (content, f'{type(err).__name__}: {err}'[:2_000]))
            return
        finally:
            sys.settrace(None)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        # An edge that is taken twice as often counts as new.
        taken = {(edge, count.bit_length()) for edge, count in counts.items()}
        if not taken <= self._known:
            self._known |= taken
            self._corpus.append(content)

    def _tracer(self, counts: collections.Counter[Edge]) -> Any:
        def enter(frame: FrameType, event: str, arg: object) -> Any:
            name, last = frame.f_code.co_filename, frame.f_code.co_firstlineno
            if not name.endswith(self._target.files):
                return None

            def step(frame: FrameType, event: str, arg: object) -> Any:
                nonlocal last
                if event == 'line':
                    counts[name, frame.f_code.co_firstlineno, last, frame.f_lineno] += 1
                    last = frame.f_lineno
                return step

            return step

        return enter

    def _mutate(self, content: bytes) -> bytes:
        data, choose = bytearray(content), self._random
        for _ in range(1 << choose.randrange(4)):
            at = choose.randrange(len(data) + 1)
            length = min(1 << choose.randrange(9), len(data) - at)
            kind = choose.randrange(8)
            if kind == 0 and at < len(data):
                data[at] ^= 1 << choose.randrange(8)
            elif kind == 1 and at < len(data):
                data[at] = choose.randrange(256)
            elif kind == 2:
                data[at:at] = choose.choice(self._words)
            elif kind == 3:
                word = choose.choice(self._words)
                data[at : at + len(word)] = word
            elif kind == 4:
                del data[at : at + length]
            elif kind == 5:
                times = choose.choice((1, 2, 50 if length < 16 else 3))
                data[at:at] = data[at : at + length] * times
            elif kind == 6:
                other = choose.choice(self._corpus)
                start = choose.randrange(len(other) + 1)
                data[at:at] = other[start : start + length]
            elif kind == 7:
                start = choose.randrange(len(data) + 1)
                data[start : start + length] = data[at : at + length]
        return bytes(data[: self._max_bytes])


def _raise_hang(number: int, frame: FrameType | None) -> None:
    raise _HangError(f'no result after {_HANG_SECONDS:g} s of CPU time')


def _place(error: BaseException) -> str:
    """Return where an error was raised, so that each defect is reported once."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}' if trace else ''
    return f'{type(error).__name__} {where}'
