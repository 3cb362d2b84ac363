"""The errors a person can act on, each with its exit code.

A message says what was expected and what came; `hint` says what to do next.
Everything else that escapes is a defect and ends with exit code 1.
"""

from __future__ import annotations

import re

# A message may quote a label, or the names of all columns, of any length.
_LONGEST = 2_000
_END = 600


class ReviewsError(Exception):
    """Base of all expected errors.

    The message is made one line, whatever it quotes: line breaks become spaces,
    other characters that cannot be printed their escapes, and what is too long
    loses its middle.

    Attributes:
        exit_code: What the process returns to the shell.
        hint: What to do about it, one sentence, or an empty string.
        log: Path of the log with the details, or an empty string.
        report: Path of the page about the run, or an empty string.
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
    # Half a character, as of a file name that is not UTF-8, could not even be printed.
    return character if character.isprintable() else ascii(character)[1:-1]


class ConfigError(ReviewsError):
    """A setting or option is unknown, of the wrong type or out of range."""

    exit_code = 2


class NotBlessedError(ReviewsError):
    """The Evaluator did not bless the candidate, so nothing was pushed."""

    exit_code = 3


class DataError(ReviewsError):
    """The data cannot be read, or is not what the schema demands."""

    exit_code = 4


class ComponentError(ReviewsError):
    """A node of the pipeline failed for a reason that is not the data's."""

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
    """A service cannot be reached, refuses what is asked of it, or fails.

    Attributes:
        may_pass: Whether the same request may succeed a little later.
    """

    exit_code = 7

    def __init__(self, message: str, *, hint: str = '', may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.may_pass = may_pass


class OutcomeUnknownError(ReviewsError):
    """What came of a run on a service cannot be told: not yet, or not from here."""

    exit_code = 8


class StoreError(ReviewsError):
    """What earlier runs keep on the disk is damaged, or cannot be used."""

    exit_code = 9


def class_of(exit_code: int) -> type[ReviewsError]:
    """Return the class of the errors of another process, by the exit code that it says."""
    classes = (
        ConfigError,
        NotBlessedError,
        DataError,
        MissingDependencyError,
        ServiceError,
        OutcomeUnknownError,
        StoreError,
    )
    return next((cls for cls in classes if cls.exit_code == exit_code), ComponentError)


INTERRUPTED_EXIT_CODE = 130
