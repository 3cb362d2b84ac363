"""A small coverage-guided fuzzer: inputs that reach code not reached before are kept and varied.

It is our own because none fits: atheris has no wheels for Linux on aarch64 with
Python 3.10 and 3.11, and hypofuzz brings a web server and the AGPL. It follows
Python's trace of the modules under test, in which the readers' branches are.
"""

from __future__ import annotations

import collections
import random
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

# One input may take so long; more is a defect, too.
_HANG_SECONDS = 10.0
# Long inputs are slow, and seldom tell more.
_LONGEST = 1 << 12
_INTERESTING = (b'\0', b'\xff', b'\x80', b'\n', b'\r', b'"', b',', b'9', b'-', b'\xef\xbb\xbf')

Edge = tuple[str, int, int, int]


class Found(NamedTuple):
    """Result of fuzzing: inputs tried, those kept, edges of the code reached, and crashes."""

    executions: int
    kept: int
    edges: int
    crashes: list[tuple[bytes, str]]


class _HangError(BaseException):
    """Raised in the target, past its own handlers."""


class Fuzzer:
    """Looks for inputs that a target does not survive.

    Args:
        target: Takes bytes, and raises if something is wrong.
        seeds: To begin with.
        words: What inputs are made of.
        files: Ends of the paths of the modules whose coverage counts.
        mend: Makes a varied input plausible again, such as its checksums; it is
            not called for a fifth of them.
        seed: Of all that is random.
    """

    def __init__(
        self,
        target: Callable[[bytes], None],
        seeds: Sequence[bytes],
        words: Sequence[bytes],
        files: tuple[str, ...],
        mend: Callable[[bytes], bytes] = bytes,
        *,
        seed: int = 0,
    ) -> None:
        self._target = target
        self._words = [*words, *_INTERESTING]
        self._files = files
        self._mend = mend
        self._random = random.Random(seed)
        self._known: set[tuple[Edge, int]] = set()
        self._corpus: list[bytes] = []
        self._crashes: dict[str, tuple[bytes, str]] = {}
        self._executions = 0
        self._seeds = list(seeds)
        self._longest = max(_LONGEST, *(2 * len(seed) for seed in seeds))

    def run(self, seconds: float, *, until_crash: bool = False) -> Found:
        """Try inputs for so long, or until one crashes."""
        until = time.monotonic() + seconds
        for content in self._seeds:
            self._try(content)
        self._corpus = self._corpus or [b'']
        while time.monotonic() < until and not (until_crash and self._crashes):
            one, other = self._random.choice(self._corpus), self._random.choice(self._corpus)
            content = self._vary(min(one, other, key=len))
            if self._random.random() < 0.8:
                content = self._mend(content)
            self._try(content)
        edges = len({edge for edge, _ in self._known})
        return Found(self._executions, len(self._corpus), edges, list(self._crashes.values()))

    def _try(self, content: bytes) -> None:
        self._executions += 1
        counts: collections.Counter[Edge] = collections.Counter()
        deadline = time.monotonic() + _HANG_SECONDS
        error: BaseException | None = None
        sys.settrace(self._tracer(counts, deadline))
        try:
            self._target(content)
        except (Exception, _HangError) as err:
            error = err
        finally:
            sys.settrace(None)
        if error is not None:
            message = f'{type(error).__name__}: {error}'[:2_000]
            self._crashes.setdefault(_place(error), (content, message))
            return
        # An edge that is taken twice as often is news, too.
        features = {(edge, count.bit_length()) for edge, count in counts.items()}
        if not features <= self._known:
            self._known |= features
            self._corpus.append(content)

    def _tracer(self, counts: collections.Counter[Edge], deadline: float) -> Any:
        files, now = self._files, time.monotonic

        def enter(frame: FrameType, event: str, arg: object) -> Any:
            name = frame.f_code.co_filename
            if not name.endswith(files):
                return None
            last = frame.f_code.co_firstlineno

            def step(frame: FrameType, event: str, arg: object) -> Any:
                nonlocal last
                if event == 'line':
                    counts[name, frame.f_code.co_firstlineno, last, frame.f_lineno] += 1
                    last = frame.f_lineno
                    if now() > deadline:
                        raise _HangError(f'still busy after {_HANG_SECONDS:g} s')
                return step

            return step

        return enter

    def _vary(self, content: bytes) -> bytes:
        data = bytearray(content)
        choose = self._random
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
        return bytes(data[: self._longest])


def _place(error: BaseException) -> str:
    """Return where an error was raised, so that each defect is reported once."""
    trace = error.__traceback__
    place = ''
    while trace is not None:
        place = f'{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}'
        trace = trace.tb_next
    return f'{type(error).__name__} {place}'
