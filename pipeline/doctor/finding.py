"""Checks of `doctor`: their input, and what they find."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import Literal

from components.common.errors import ReviewsError, StoreError
from pipeline.settings.config import DataConfig
from pipeline.store.backend import Backend

State = Literal['ok', 'warning', 'problem']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """The input of all checks.

    Attributes:
        root: The pipeline root.
        serving_dir: The folder of pushed versions.
        backend: The metadata store.
        data: Settings of the data; None to skip its checks.
        show_progress: Shows what takes long.
    """

    root: pathlib.Path
    serving_dir: pathlib.Path
    backend: Backend
    data: DataConfig | None = None
    show_progress: Callable[[str], None] = lambda line: None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of looking at one thing.

    Attributes:
        subject: The thing, in one or two words.
        state: `problem` if a run or a prediction would fail; `warning` if the next run
            repairs it, or if it can wait.
        message: How it is.
        hint: What to do about it; empty if nothing.
        error: Class of a problem, which determines the exit code.
    """

    subject: str
    state: State
    message: str
    hint: str = ''
    error: type[ReviewsError] = StoreError


# Looks at one thing and changes nothing.
Check = Callable[[Context], Iterable[Finding]]


def ok(subject: str, message: str) -> Finding:
    """Return a finding that needs no action.

    >>> ok('Python', '3.10').state
    'ok'
    """
    return Finding(subject=subject, state='ok', message=message)


def warning(subject: str, message: str, hint: str = '') -> Finding:
    """Return a finding that the user should know."""
    return Finding(subject=subject, state='warning', message=message, hint=hint)


def problem(
    subject: str, message: str, hint: str, error: type[ReviewsError] = StoreError
) -> Finding:
    """Return a finding that the user must act on."""
    return Finding(subject=subject, state='problem', message=message, hint=hint, error=error)


def problem_of(subject: str, error: ReviewsError) -> Finding:
    """Return the finding for an error that a run would end with."""
    return problem(subject, str(error), error.hint, type(error))
