"""The input and the results of the checks of `doctor`."""

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
        show_progress: Called with a line that says which slow step begins; '' removes the line.
    """

    root: pathlib.Path
    serving_dir: pathlib.Path
    backend: Backend
    data: DataConfig | None = None
    show_progress: Callable[[str], None] = lambda line: None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of checking one thing.

    Attributes:
        subject: The thing, in one or two words.
        state: `problem` if a run or a prediction would fail; `warning` if the next run
            repairs it, or if it can wait.
        message: What was found.
        hint: What to do about it; empty if nothing needs to be done.
        error: Class of a problem, which determines the exit code.
    """

    subject: str
    state: State
    message: str
    hint: str = ''
    error: type[ReviewsError] = StoreError


# A check changes nothing.
Check = Callable[[Context], Iterable[Finding]]


def ok(subject: str, message: str) -> Finding:
    """Return a finding that needs no action.

    >>> ok('Python', '3.10').state
    'ok'
    """
    return Finding(subject=subject, state='ok', message=message)


def warning(subject: str, message: str, hint: str = '') -> Finding:
    """Return a finding that the user should know about."""
    return Finding(subject=subject, state='warning', message=message, hint=hint)


def problem(
    subject: str, message: str, hint: str, error: type[ReviewsError] = StoreError
) -> Finding:
    """Return a finding that the user must act on."""
    return Finding(subject=subject, state='problem', message=message, hint=hint, error=error)


def problem_of(subject: str, error: ReviewsError) -> Finding:
    """Return the finding for an error that a run would end with."""
    return problem(subject, str(error), error.hint, type(error))
