"""Turns exceptions of nodes into errors that say what to do."""

from __future__ import annotations

import errno
import os

from components.common.errors import ComponentError, ReviewsError

# TensorFlow, Beam and SQLite raise their own classes with these messages.
_DISK_FULL = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    'database or disk is full',
)


def explain(err: BaseException, node_id: str) -> BaseException:
    """Return the error to show for an exception.

    Args:
        err: The exception. If it is an error of this project, or was caused by one,
            that error is returned.
        node_id: The node that raised it; empty before the first node.

    >>> explain(OSError('No space left on device'), 'Trainer')
    ComponentError('Trainer: no space left on the disk')
    """
    if isinstance(err, ReviewsError):
        return err
    cause: BaseException | None = err
    while cause is not None:
        if isinstance(cause, ReviewsError):
            return cause
        if any(message in str(cause) for message in _DISK_FULL):
            return ComponentError(
                f'{node_id}: no space left on the disk',
                hint='free some space; the same command resumes',
            )
        cause = cause.__cause__ or cause.__context__
    first_line = (str(err).strip().splitlines() or [''])[0]
    return ComponentError(
        f'{node_id or "the pipeline"} failed: {type(err).__name__}: {first_line}',
        hint='the log has the details; the same command resumes from the cached nodes',
    )
