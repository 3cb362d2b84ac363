"""Turns exceptions of nodes into errors that say what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from components.common.errors import ComponentError, ReviewsError, ServiceError
from pipeline.store.choice import Backend

# TensorFlow, Beam and SQLite raise their own classes with these messages.
_DISK_FULL = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    'database or disk is full',
)
# Messages of ML Metadata's client and of TFX if a MySQL server cannot be reached.
_UNREACHABLE = re.compile(
    r'mysql_\w+ (failed|aborted)|Failed to establish connection to Metadata storage'
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
    for cause in _error_chain(err):
        if isinstance(cause, ReviewsError):
            return cause
        if any(message in str(cause) for message in _DISK_FULL):
            return ComponentError(
                f'{node_id}: no space left on the disk',
                hint='free some space, then run the same command again to resume',
            )
    first_line = (str(err).strip().splitlines() or [''])[0]
    return ComponentError(
        f'{node_id or "the pipeline"} failed: {type(err).__name__}: {first_line}',
        hint='see the log; to resume from the cached nodes, run the same command again',
    )


def explain_server_failure(err: BaseException, backend: Backend) -> ReviewsError | None:
    """Return an error if the server of the metadata store failed; None if it did not."""
    unreachable = any(_UNREACHABLE.search(str(cause)) for cause in _error_chain(err))
    if not (unreachable and backend.shared):
        return None
    try:
        backend.reader()
    except ReviewsError as found:
        hint = f'{found.hint}; then run the same command again to resume'
        return type(found)(str(found), hint=hint)
    return ServiceError(
        f'{backend.where} failed during the run: {err}',
        hint='run the same command again to resume',
    )


def _error_chain(err: BaseException | None) -> Iterator[BaseException]:
    while err is not None:
        yield err
        err = err.__cause__ or err.__context__
