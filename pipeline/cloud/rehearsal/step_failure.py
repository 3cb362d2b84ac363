"""What is told of a command that failed, read from its log."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

from components.common.errors import StepFailedError

_TAIL_LINES = 15
_RAISED = re.compile(r'[\w.]*(Error|Exception)\b(: .*)?')


def step_failed(what: str, code: int, log: pathlib.Path) -> StepFailedError:
    """Return the error that tells how a command ended.

    Args:
        what: Names the command.
        code: Its exit code, not 0.
        log: What it printed.
    """
    tail = _tail(log)
    error = StepFailedError(
        f'{what} failed with exit code {code}{_reason(tail)}',
        hint='it would fail on the cluster as well',
    )
    error.tail = tuple(tail)
    return error


def _tail(log: pathlib.Path) -> list[str]:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return [line for line in lines if line.strip() and not line.startswith('$ ')][-_TAIL_LINES:]


def _reason(tail: Sequence[str]) -> str:
    """Return what was raised, if the last lines say so."""
    raised = next((line for line in reversed(tail) if _RAISED.fullmatch(line)), None)
    return f': {raised}' if raised else ''
