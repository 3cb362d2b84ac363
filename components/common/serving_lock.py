"""The lock on the folder of pushed versions: one process changes it at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator

import filelock

from components.common.errors import ComponentError
from components.common.file_lock import acquire_file_lock
from components.common.storage import is_remote

_log = logging.getLogger(__name__)

# Model servers ignore hidden files, as they ignore everything that is not a version.
LOCK_FILE = '.serving.lock'
PART_SUFFIX = '.part'

_WAIT_SECONDS = 600


@contextlib.contextmanager
def serving_lock(serving_dir: str, *, wait_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock that a push, a rollback and a prune need, for the duration of the block.

    Unfinished files that a killed holder left are removed. An object store has no locks:
    nothing is locked there, and only the version numbers keep two pushes apart.

    Args:
        serving_dir: The folder of versions; created if it is on a disk and missing.
        wait_seconds: How long to wait for another holder.

    Raises:
        ComponentError: If another process holds the lock for longer.
        StoreError: If a folder is in the place of the lock file.
        OSError: If the folder cannot be written to or locked.

    Example:
        with serving_lock('runs/serving/sentiment'):
            ...
    """
    if is_remote(serving_dir):
        yield
        return
    os.makedirs(serving_dir, exist_ok=True)
    path = os.path.join(serving_dir, LOCK_FILE)
    try:
        lock = acquire_file_lock(path, wait_seconds=wait_seconds)
    except filelock.Timeout as err:
        raise ComponentError(
            f'another process has been changing {serving_dir} for {wait_seconds:g} s',
            hint=f'end it, or wait: `fuser {path}` shows its process id',
        ) from err
    with lock:
        _remove_unfinished(serving_dir)
        yield


def _remove_unfinished(serving_dir: str) -> None:
    for entry in os.scandir(serving_dir):
        if entry.name.startswith('.') and entry.name.endswith(PART_SUFFIX):
            _log.warning('removing %s, which a killed process left', entry.path)
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
