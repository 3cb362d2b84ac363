"""The lock of a pipeline: one run at a time below one pipeline root.

The operating system releases the lock when its holder ends, even if it is killed. A file
next to the lock describes the holder. Messages name the holder, and the next run detects
from this file that a run was killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import pathlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import filelock
import pydantic

from components.common.errors import ConfigError
from components.common.file_lock import acquire_file_lock
from pipeline.store.folders import cannot_write


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """The run that holds a lock, or held it last.

    Attributes:
        run_id: Id of the run.
        config: Its effective settings.
        pid: Its process id.
        host: Name of the machine that the process runs on.
        since: When the run started: local time, ISO 8601.
    """

    run_id: str
    config: dict[str, Any]
    pid: int = dataclasses.field(default_factory=os.getpid)
    host: str = dataclasses.field(default_factory=socket.gethostname)
    since: str = dataclasses.field(
        default_factory=lambda: datetime.datetime.now().isoformat(' ', 'seconds')
    )

    def __str__(self) -> str:
        where = '' if self.host == socket.gethostname() else f' on {self.host}'
        return f'{self.run_id}, process {self.pid}{where}, since {self.since}'


_HOLDER_FORMAT = pydantic.TypeAdapter(Holder)


class RunLock:
    """A lock that this process holds.

    Attributes:
        killed_run: The run that held it last, if that run left no record.
        waited: Whether this process waited for another run.
    """

    def __init__(self, holder_file: pathlib.Path, *, waited: bool) -> None:
        self.killed_run = _read_holder(holder_file)
        self.waited = waited
        self._holder_file = holder_file

    def set_holder(self, holder: Holder) -> None:
        """Write the description of the run that holds the lock."""
        # On a full disk, the lock still works, but a message cannot name its holder.
        with contextlib.suppress(OSError):
            self._holder_file.write_bytes(_HOLDER_FORMAT.dump_json(holder))

    def clear_holder(self) -> None:
        """Remove the description, after the run has saved its record."""
        with contextlib.suppress(OSError):
            self._holder_file.unlink(missing_ok=True)


@contextlib.contextmanager
def run_lock(
    root: pathlib.Path, name: str, on_wait: Callable[[str], None] | None = None
) -> Iterator[RunLock]:
    """Hold the lock of a pipeline for the duration of the block.

    Args:
        root: The pipeline root.
        name: Name of the pipeline.
        on_wait: Called with a description of the other run before this process waits
            for it; None to raise an error instead of waiting.

    Yields:
        The lock. Child processes do not inherit it.

    Raises:
        ConfigError: If another run holds the lock and `on_wait` is None, or if the lock file
            cannot be written or locked.
        StoreError: If a folder is in the place of the lock file.

    Example:
        with run_lock(root, 'sentiment') as lock:
            lock.set_holder(Holder(run_id=run_id, config=config.model_dump()))
    """
    path = root / 'locks' / f'{name}.lock'
    holder_file = path.with_suffix('.holder.json')
    waited = False
    try:
        lock = _acquire(root, path, wait_seconds=0)
    except filelock.Timeout as err:
        holder = _read_holder(holder_file)
        other = f'run {holder}' if holder else 'a run that has just started'
        if on_wait is None:
            raise ConfigError(
                f'another run of {name} is in progress: {other}',
                hint='pass --wait to wait for its end, or another --name or --root',
            ) from err
        on_wait(other)
        waited = True
        lock = _acquire(root, path)
    with lock:
        yield RunLock(holder_file, waited=waited)


def root_lock(root: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Wait for the lock of the files that all pipelines below a root share, and acquire it.

    The returned context manager releases the lock. For errors, see `run_lock`.
    """
    # No suffix `.lock`: `repair` holds all locks with this suffix when it waits for this one.
    return _acquire(root, root / 'locks' / 'root')


def _acquire(
    root: pathlib.Path, path: pathlib.Path, wait_seconds: float = -1
) -> contextlib.AbstractContextManager[None]:
    try:
        return acquire_file_lock(path, wait_seconds=wait_seconds)
    except filelock.Timeout:
        raise
    except OSError as err:
        raise cannot_write(root, err) from err


def _read_holder(path: pathlib.Path) -> Holder | None:
    """Return the described holder; None if there is none, or it is being written."""
    try:
        return _HOLDER_FORMAT.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
