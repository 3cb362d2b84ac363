"""Turns what a node raises into an error that a person can act on."""

from __future__ import annotations

import errno
import os

from components.common.errors import ComponentError, ReviewsError

# TensorFlow, Beam and SQLite raise errors of their own, with these words in them.
_DISK_FULL = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    'database or disk is full',
)


def explain(err: BaseException, node_id: str) -> BaseException:
    """Turn what a node raised into an error that a person can act on.

    Args:
        err: What it raised.
        node_id: The node; empty if none had begun.
    """
    if isinstance(err, ReviewsError):
        return err
    cause: BaseException | None = err
    while cause is not None:
        if isinstance(cause, ReviewsError):
            return cause
        if any(words in str(cause) for words in _DISK_FULL):
            return ComponentError(
                f'{node_id}: no space left on the disk', hint='make room; the same command resumes'
            )
        cause = cause.__cause__ or cause.__context__
    first_line = (str(err).strip().splitlines() or [''])[0]
    return ComponentError(
        f'{node_id or "the pipeline"} failed: {type(err).__name__}: {first_line}',
        hint='the log has the details; the same command resumes from what is cached',
    )
