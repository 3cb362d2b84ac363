"""The SQLite file of ML Metadata: whether it can be used."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import sqlite3
from collections.abc import Iterator
from typing import Literal, NamedTuple

from components.common.errors import StoreError
from pipeline.store.backend import SCHEMA_VERSION

METADATA = 'metadata.sqlite'
LOCK_WAIT_SECONDS = 10.0

Problem = Literal['damaged', 'newer', 'older', 'locked', 'read-only', 'unreadable']


class State(NamedTuple):
    """How the file is.

    Attributes:
        problem: None if it can be used; a missing or empty one can.
        told: What is wrong, to follow the file's path.
        hint: What to do about it.
    """

    problem: Problem | None = None
    told: str = ''
    hint: str = ''


def exists(path: pathlib.Path) -> bool:
    """Say whether there is a store; SQLite takes an empty file for a new one."""
    return path.is_file() and path.stat().st_size > 0


def examine(
    path: pathlib.Path,
    *,
    thorough: bool = False,
    to_write: bool = True,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
) -> State:
    """Find out whether the file can be used; nothing is changed.

    Args:
        path: The file.
        thorough: Check each index, too.
        to_write: Whether it is to be written, so that a lock is in the way.
        lock_wait_seconds: How long to wait for another process that writes.
    """
    if path.exists() and not path.is_file():
        return State('damaged', 'is not a file', repair_command(path))
    if not exists(path):
        return State()
    if to_write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return State(
            'read-only', 'cannot be written', f'make it and its folder writable: chmod u+w {path}'
        )
    try:
        with opened(path, lock_wait_seconds) as connection:
            check = 'integrity_check' if thorough else 'quick_check'
            ((found, *_), *_) = connection.execute(f'PRAGMA {check}(1)').fetchall()
            if found != 'ok':
                return State('damaged', f'is damaged: {_one_line(found)}', repair_command(path))
            ((version,),) = connection.execute('SELECT schema_version FROM MLMDEnv').fetchall()
            if to_write:
                connection.execute('BEGIN IMMEDIATE')
                connection.execute('ROLLBACK')
    except (sqlite3.Error, ValueError) as err:
        return _told_of(err, path)
    return _of_schema(version, path)


def _of_schema(version: int, path: pathlib.Path) -> State:
    if version > SCHEMA_VERSION:
        return State(
            'newer',
            f'was written by a newer ML Metadata: its schema is {version}, {SCHEMA_VERSION} is '
            'known here',
            'use the stack that wrote it, or name another --root',
        )
    if version < SCHEMA_VERSION:
        told = f'was written by an older ML Metadata: its schema is {version}'
        return State('older', told, f'bring it to schema {SCHEMA_VERSION}: {repair_command(path)}')
    return State()


def has_executions(path: pathlib.Path) -> bool:
    """Say whether runs are recorded in the file; one that cannot be read may have some."""
    if not exists(path):
        return False
    try:
        with opened(path) as connection:
            return bool(connection.execute('SELECT 1 FROM Execution LIMIT 1').fetchall())
    except sqlite3.Error:
        return True


def require_usable(path: pathlib.Path, *, to_write: bool = True) -> None:
    """Check that the file can be used; waits some time for another process that writes.

    Args:
        path: The file.
        to_write: Whether it is to be written.

    Raises:
        StoreError: If it cannot.
    """
    state = examine(path, to_write=to_write)
    if state.problem:
        raise StoreError(f'{path} {state.told}', hint=state.hint)


def users(path: pathlib.Path) -> list[str]:
    """Name the other processes that have the file open, as `4711 (python)`; Linux only."""
    found = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            open_files = {os.readlink(link) for link in (process / 'fd').iterdir()}
            if str(path) in open_files and process.name != str(os.getpid()):
                found.append(f'{process.name} ({(process / "comm").read_text().strip()})')
    return sorted(found)


@contextlib.contextmanager
def opened(
    path: pathlib.Path, wait_seconds: float = LOCK_WAIT_SECONDS, *, to_write: bool = False
) -> Iterator[sqlite3.Connection]:
    """Open a file that exists; it is not changed unless it is opened `to_write`."""
    mode = 'rw' if to_write or os.access(path, os.W_OK) else 'ro'
    # A file on a medium that cannot be written cannot be locked either, nor change.
    suffix = '' if os.access(path.parent, os.W_OK) else '&immutable=1'
    connection = sqlite3.connect(
        f'{path.absolute().as_uri()}?mode={mode}{suffix}', uri=True, timeout=wait_seconds
    )
    with contextlib.closing(connection):
        yield connection


def _told_of(err: Exception, path: pathlib.Path) -> State:
    told = _one_line(str(err))
    if 'locked' in told:
        named = users(path)
        by = f'by process {", ".join(named)}' if named else 'by another process'
        return State(
            'locked', f'is locked {by}', 'wait until it has ended, or end it; then run again'
        )
    if 'unable to open' in told or 'readonly' in told:
        return State('unreadable', f'cannot be opened: {told}', f'check its owner: ls -l {path}')
    return State('damaged', f'is damaged: {told}', repair_command(path))


def repair_command(path: pathlib.Path) -> str:
    """Return the command that mends a file."""
    return f'python pipeline_runner.py repair --root {shlex.quote(str(path.parent))}'


def _one_line(text: str) -> str:
    return ' '.join(text.split())
