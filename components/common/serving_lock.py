"""One process at a time changes the folder of pushed versions."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shlex
import shutil
import time
from collections.abc import Iterator

from components.common.errors import ComponentError, StoreError
from components.common.storage import is_remote

_log = logging.getLogger(__name__)

# Hidden, as all that is no version: no model server looks at them.
LOCK_FILE = '.serving.lock'
PART_SUFFIX = '.part'

_WAIT_SECONDS = 600
_POLL_SECONDS = 0.05
# What file systems say that know no locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def serving_lock(serving_dir: str, *, wait_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Be the only one to push, roll back or prune there, for the time of the block.

    The system gives the lock back when its holder ends, however it ends. What a
    killed holder left half-done is removed. An object store has no locks; there
    it does nothing, and two pushes are told apart by their numbers alone.

    Args:
        serving_dir: The folder of versions; it is made if it is on a disk.
        wait_seconds: How long to wait for another holder.

    Raises:
        ComponentError: If the other holder takes longer.
        StoreError: If there is something else in place of the lock.
        OSError: If the folder cannot be written to.
    """
    if is_remote(serving_dir):
        yield
        return
    os.makedirs(serving_dir, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    # Group and others may hold it, too, where they may write to the folder at all.
    path = os.path.join(serving_dir, LOCK_FILE)
    try:
        descriptor = os.open(path, flags, 0o666)
    except IsADirectoryError as err:
        raise no_lock_file(path) from err
    try:
        if _acquire(descriptor, serving_dir, wait_seconds):
            _remove_left_over(serving_dir)
        yield
    finally:
        os.close(descriptor)


def no_lock_file(path: str) -> StoreError:
    """Return what is told where a folder is in place of a lock."""
    return StoreError(
        f'{path} is a folder, expected a file, by which processes wait for each other',
        hint=f'remove it: rm -r {shlex.quote(path)}',
    )


def _acquire(descriptor: int, serving_dir: str, wait_seconds: float) -> bool:
    """Return whether the lock is held; without one, a rename still makes a version whole."""
    ends = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError as err:
            if time.monotonic() > ends:
                raise ComponentError(
                    f'another process has been changing {serving_dir} for {wait_seconds:g} s',
                    hint=f'end it, or wait: `fuser {os.path.join(serving_dir, LOCK_FILE)}` '
                    'names it',
                ) from err
            time.sleep(_POLL_SECONDS)
        except OSError as err:
            if err.errno not in _NO_LOCKS:
                raise
            _log.warning('%s cannot be locked: %s', serving_dir, err)
            return False


def _remove_left_over(serving_dir: str) -> None:
    for entry in os.scandir(serving_dir):
        if entry.name.startswith('.') and entry.name.endswith(PART_SUFFIX):
            _log.warning('removing %s, which a killed process left', entry.path)
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
