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

    >>> Finding('Python', '3.10').state, Finding('backup', 'missing', 'make one').state
    ('ok', 'warning')

    Attributes:
        subject: The thing, in one or two words.
        message: What was found.
        hint: What to do about it; empty if it is in order.
        error: The error of a problem, which determines the exit code.
    """

    subject: str
    message: str
    hint: str = ''
    error: ReviewsError | None = None

    @property
    def state(self) -> State:
        """`problem` if a run or a prediction would fail; `warning` if it can wait."""
        if self.error is not None:
            return 'problem'
        return 'warning' if self.hint else 'ok'


# Returns what it finds, and raises the error of a problem. It changes nothing.
Check = Callable[[Context], Iterable[Finding]]
# Checks by the subject of the finding if they raise an error.
Checks = Mapping[str, Check]


def find_all(checks: Checks, context: Context) -> Iterator[Finding]:
    """Run checks, and return what each finds as soon as it is known."""
    for subject, check in checks.items():
        try:
            yield from check(context)
        except ReviewsError as err:
            yield Finding(subject, str(err), err.hint, err)
