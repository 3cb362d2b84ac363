"""What the doctor finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from components.common.errors import ReviewsError, StoreError

Area = Literal['installation', 'store', 'served', 'data']
State = Literal['ok', 'warning', 'problem']
# Is given a line that tells what takes so long.
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of looking at one thing.

    Attributes:
        what: The thing, a word or two.
        state: `problem` for what a run or a prediction would fail on; `warning`
            for what is mended by itself, or can wait.
        told: How it is.
        todo: What to do about it; empty where that is nothing.
        error: The class of a problem, which says the exit code.
    """

    what: str
    state: State
    told: str
    todo: str = ''
    error: type[ReviewsError] = StoreError


def ok(what: str, told: str) -> Finding:
    """Make a finding that all is well."""
    return Finding(what=what, state='ok', told=told)


def warning(what: str, told: str, todo: str = '') -> Finding:
    """Make a finding that someone should know of."""
    return Finding(what=what, state='warning', told=told, todo=todo)


def problem(what: str, told: str, todo: str, error: type[ReviewsError] = StoreError) -> Finding:
    """Make a finding that someone has to act on."""
    return Finding(what=what, state='problem', told=told, todo=todo, error=error)
