"""The errors that a user can act on, each with its exit code.

A message states what was expected and what was received; `hint` states what to
do next. Any other exception that reaches the command line is a defect and ends
with exit code 1.
"""

from __future__ import annotations

import re

# A message may quote a label, or the names of all columns, of any length.
_LONGEST = 2_000
_END = 600


class ReviewsError(Exception):
    """Base of all expected errors.

    The message becomes one line: line breaks become spaces, other unprintable
    characters become escapes, and a long message loses its middle.

    >>> error = DataError('the file is empty:\\n a.csv', hint='add a labelled text')
    >>> str(error), error.hint, error.exit_code
    ('the file is empty: a.csv', 'add a labelled text', 4)

    Attributes:
        exit_code: The exit code of the process.
        hint: What to do next, one sentence, or an empty string.
        log: Path of the log with the details, or an empty string.
        report: Path of the run's report, or an empty string.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = '') -> None:
        super().__init__(_one_line(message))
        self.hint = _one_line(hint)
        self.log = ''
        self.report = ''

    def __reduce__(self) -> tuple[object, ...]:
        # Keeps the hint when Beam sends the error between processes.
        return (_rebuild, (type(self), str(self), self.hint))


def _rebuild(cls: type[ReviewsError], message: str, hint: str) -> ReviewsError:
    return cls(message, hint=hint)


def _one_line(text: str) -> str:
    text = re.sub(r'\s*[\r\n]\s*', ' ', _cut(text))
    return text if text.isprintable() else _cut(''.join(map(_printable, text)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f'{text[: _LONGEST - _END]} … {text[-_END:]}'


def _printable(character: str) -> str:
    # A surrogate, as in a file name that is not UTF-8, cannot be printed.
    return character if character.isprintable() else ascii(character)[1:-1]


class ConfigError(ReviewsError):
    """A setting or option is unknown, of the wrong type or out of range."""

    exit_code = 2


class NotBlessedError(ReviewsError):
    """The Evaluator did not bless the candidate, so nothing was pushed."""

    exit_code = 3


class DataError(ReviewsError):
    """The data cannot be read, or does not fit the schema."""

    exit_code = 4


class ComponentError(ReviewsError):
    """A node of the pipeline failed, and the data is not the reason."""

    exit_code = 5


class StepFailedError(ComponentError):
    """The command of a step ended with an exit code other than 0.

    Attributes:
        tail: The last lines that it printed.
    """

    tail: tuple[str, ...] = ()


class MissingDependencyError(ReviewsError):
    """Something that the command needs is not installed."""

    exit_code = 6


class ServiceError(ReviewsError):
    """A service cannot be reached, refuses a request, or fails.

    Attributes:
        may_pass: Whether the same request may succeed later.
    """

    exit_code = 7

    def __init__(self, message: str, *, hint: str = '', may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass


class OutcomeUnknownError(ReviewsError):
    """The outcome of a run on a service is not known yet, or not from this machine."""

    exit_code = 8


class StoreError(ReviewsError):
    """Files of earlier runs are damaged, or cannot be used."""

    exit_code = 9


INTERRUPTED_EXIT_CODE = 130
