"""The input and the results of the checks of `doctor`."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from components.common.errors import ReviewsError
from pipeline.settings.config import DataConfig
from pipeline.store.choice import Backend

State = Literal['ok', 'warning', 'problem']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """The input of all checks.

    Attributes:
        root: The pipeline root.
        serving_dir: The folder of pushed versions.
        backend: The metadata store.
        data: Settings of the data; None to skip its checks.
    """

    root: pathlib.Path
    serving_dir: pathlib.Path
    backend: Backend
    data: DataConfig | None = None


class Finding(NamedTuple):
    """The result of checking one thing.

    Attributes:
        subject: The thing, in one or two words.
        state: `problem` if a run or a prediction would fail; `warning` if the next run
            repairs it, or if it can wait.
        message: What was found.
        hint: What to do about it; empty if nothing needs to be done.
        error: The error of a problem, which determines the exit code.
    """

    subject: str
    state: State
    message: str
    hint: str = ''
    error: ReviewsError | None = None


# Returns what it finds, and raises the error of a problem. It changes nothing.
Check = Callable[[Context], Iterable[Finding]]
# Checks by the subject of the finding if they raise an error.
Checks = Mapping[str, Check]


def ok(subject: str, message: str) -> Finding:
    """Return a finding that needs no action.

    >>> ok('Python', '3.10').state
    'ok'
    """
    return Finding(subject, 'ok', message)


def warning(subject: str, message: str, hint: str = '') -> Finding:
    """Return a finding that the user should know about."""
    return Finding(subject, 'warning', message, hint)


def find_all(checks: Checks, context: Context) -> Iterator[Finding]:
    """Run checks, and return what each finds as soon as it is known."""
    for subject, check in checks.items():
        try:
            yield from check(context)
        except ReviewsError as err:
            yield Finding(subject, 'problem', str(err), err.hint, err)
