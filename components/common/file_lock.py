"""Locks files; the operating system releases a lock when its holder ends."""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import Any

import filelock

from components.common.errors import StoreError


def acquire_file_lock(
    path: str | os.PathLike[str], *, wait_seconds: float = -1
) -> contextlib.AbstractContextManager[Any]:
    """Acquire the lock of a file; the returned context manager releases it.

    The file stays after the release. Child processes do not inherit the lock.

    Args:
        path: The lock file. Both the file and its folder are created if missing.
        wait_seconds: How long to wait for another holder; a negative number means
            without limit.

    Raises:
        filelock.Timeout: If another process holds the lock for longer.
        StoreError: If `path` is a folder.
        OSError: If the file cannot be created or locked.

    Example:
        with acquire_file_lock('runs/locks/root'):
            ...
    """
    try:
        return filelock.FileLock(path).acquire(timeout=wait_seconds)
    except IsADirectoryError as err:
        raise StoreError(
            f'expected a lock file, got a folder: {path}',
            hint=f'remove it: rm -r {shlex.quote(str(path))}',
        ) from err
