"""Only one run of a pipeline at a time, below one root.

The lock is the kernel's, so it goes with the process that holds it, however
that ends; what the file says of its holder is for people, and for the next run
to tell what a dead one has left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pydantic

from components.common.errors import ConfigError
from components.common.serving_lock import no_lock_file
from pipeline.local.run_ids import cannot_write

# What a file system says that has no such locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


class BusyError(ConfigError):
    """Another run of the same pipeline is under way, or changed meanwhile what counts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lock, or held it last.

    Attributes:
        run_id: The run.
        config: Its effective settings.
        pid: The process.
        host: The machine that the process is on.
        since: When it began, local time, ISO 8601.
    """

    run_id: str
    config: dict[str, Any]
    pid: int
    host: str
    since: str

    @classmethod
    def this_process(cls, run_id: str, config: dict[str, Any]) -> Holder:
        """Describe this process, which begins a run."""
        now = datetime.datetime.now().isoformat(' ', 'seconds')
        return cls(
            run_id=run_id, config=config, pid=os.getpid(), host=socket.gethostname(), since=now
        )

    def __str__(self) -> str:
        where = '' if self.host == socket.gethostname() else f' on {self.host}'
        return f'{self.run_id}, process {self.pid}{where}, since {self.since}'


_FORMAT = pydantic.TypeAdapter(Holder)


class RunLock:
    """A lock that this process holds.

    Attributes:
        dead: The run that held it last, if that ended without leaving a record.
        waited: Whether another run held it, and was waited for.
    """

    def __init__(self, descriptor: int, *, waited: bool) -> None:
        self.dead = _read(descriptor)
        self.waited = waited
        self._descriptor = descriptor

    def tell(self, holder: Holder) -> None:
        """Say who holds it; what was said of a dead run is gone then."""
        _write(self._descriptor, json.dumps(dataclasses.asdict(holder)))

    def give_back(self) -> None:
        """Say that its run has left a record, so that the next one need not."""
        _write(self._descriptor, '')


@contextlib.contextmanager
def run_lock(
    root: pathlib.Path, name: str, on_wait: Callable[[str], None] | None = None
) -> Iterator[RunLock]:
    """Hold the lock of a pipeline for the time of the block.

    Args:
        root: The folder for all that runs write.
        name: Of the pipeline.
        on_wait: Is told for which run it waits; None not to wait.

    Yields:
        The lock. Processes that this one starts do not inherit it.

    Raises:
        BusyError: If another run holds it, and is not waited for.
        StoreError: If a folder is in the place of the file.
        ConfigError: If the file cannot be written, or not be locked.
    """
    path = root / 'locks' / f'{name}.lock'
    with _opened(root, path) as descriptor:
        waited = not _lock(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if waited:
            holder = _read(descriptor)
            told = f'run {holder}' if holder else 'a run that has just begun'
            if on_wait is None:
                raise BusyError(
                    f'another run of {name} is under way: {told}',
                    hint='--wait waits for its end; another --name or --root is another pipeline',
                )
            on_wait(told)
            _lock(descriptor, path, fcntl.LOCK_EX)
        yield RunLock(descriptor, waited=waited)


@contextlib.contextmanager
def root_lock(root: pathlib.Path) -> Iterator[None]:
    """Hold the lock of what all pipelines below a root share, for the time of the block.

    It is waited for: nobody holds it for longer than it takes to copy a file.

    Args:
        root: The folder for all that runs write.

    Raises:
        StoreError: If a folder is in the place of the file.
        ConfigError: If the file cannot be written, or not be locked.
    """
    # Not named as those of pipelines are, of which a command may hold all at once.
    path = root / 'locks' / 'root'
    with _opened(root, path) as descriptor:
        _lock(descriptor, path, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened(root: pathlib.Path, path: pathlib.Path) -> Iterator[int]:
    """Open the file of a lock; what is locked of it is given back with it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # It stays for ever: were it removed, two runs could each lock a file of this name.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except IsADirectoryError as err:
        raise no_lock_file(str(path)) from err
    except OSError as err:
        raise cannot_write(root, err) from err
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: pathlib.Path, operation: int) -> bool:
    """Lock a file, and say whether that could be done at once."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    except OSError as err:
        if err.errno not in _NO_LOCKS:
            raise
        raise ConfigError(
            f'cannot lock {path}: its file system has no locks ({err.strerror})',
            hint='two runs at once would go unnoticed there; say --root DIR on a local disk',
        ) from err
    return True


def _read(descriptor: int) -> Holder | None:
    """Read who holds the lock; None if nobody says so, or is just writing it."""
    try:
        return _FORMAT.validate_json(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    except ValueError:
        return None


def _write(descriptor: int, text: str) -> None:
    # On a full disk the lock holds all the same; it is only not said by whom.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
