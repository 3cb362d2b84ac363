"""Finds out whether a run can use the SQLite file of ML Metadata."""

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
    """The condition of the file.

    Attributes:
        problem: None if it can be used, or if it is missing or empty.
        message: What is wrong, as the end of a sentence that begins with the path.
        hint: What to do about it.
    """

    problem: Problem | None = None
    message: str = ''
    hint: str = ''


def exists(path: pathlib.Path) -> bool:
    """Return whether there is a store; SQLite treats an empty file as a new one."""
    return path.is_file() and path.stat().st_size > 0


def examine(
    path: pathlib.Path,
    *,
    thorough: bool = False,
    to_write: bool = True,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
) -> State:
    """Find out whether the file can be used. Nothing is changed.

    Args:
        path: The file.
        thorough: Also check each index.
        to_write: Also check that the file is writable and not locked.
        lock_wait_seconds: How long to wait for another process that writes.
    """
    if path.exists() and not path.is_file():
        return State('damaged', 'is not a file', repair_command(path))
    if not exists(path):
        return State()
    if to_write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        hint = f'make it and its folder writable: chmod u+w {path}'
        return State('read-only', 'is not writable', hint)
    try:
        with open_file(path, lock_wait_seconds) as connection:
            check = 'integrity_check' if thorough else 'quick_check'
            ((found, *_), *_) = connection.execute(f'PRAGMA {check}(1)').fetchall()
            if found != 'ok':
                return _damaged(path, found)
            ((version,),) = connection.execute('SELECT schema_version FROM MLMDEnv').fetchall()
            if to_write:
                connection.execute('BEGIN IMMEDIATE')
                connection.execute('ROLLBACK')
    except (sqlite3.Error, ValueError) as err:
        return _state_of_error(err, path)
    return _state_of_schema(version, path)


def _state_of_schema(version: int, path: pathlib.Path) -> State:
    versions = f'expected schema {SCHEMA_VERSION}, got {version}'
    if version > SCHEMA_VERSION:
        hint = 'use the stack that wrote it, or pass another --root'
        return State('newer', f'was written by a newer ML Metadata: {versions}', hint)
    if version < SCHEMA_VERSION:
        hint = f'upgrade it: {repair_command(path)}'
        return State('older', f'was written by an older ML Metadata: {versions}', hint)
    return State()


def has_executions(path: pathlib.Path) -> bool:
    """Return whether the file records executions, or cannot be read and may record some."""
    if not exists(path):
        return False
    try:
        with open_file(path) as connection:
            return bool(connection.execute('SELECT 1 FROM Execution LIMIT 1').fetchall())
    except sqlite3.Error:
        return True


def require_usable(path: pathlib.Path, *, to_write: bool = True) -> None:
    """Check that the file can be used; see `examine`.

    Raises:
        StoreError: If it cannot.
    """
    state = examine(path, to_write=to_write)
    if state.problem:
        raise StoreError(f'{path} {state.message}', hint=state.hint)


@contextlib.contextmanager
def open_file(
    path: pathlib.Path, wait_seconds: float = LOCK_WAIT_SECONDS, *, to_write: bool = False
) -> Iterator[sqlite3.Connection]:
    """Open an existing file with SQLite; it is not changed unless `to_write` is set."""
    mode = 'rw' if to_write or os.access(path, os.W_OK) else 'ro'
    # In a read-only folder, SQLite cannot lock a file, so it must regard the file as immutable.
    suffix = '' if os.access(path.parent, os.W_OK) else '&immutable=1'
    connection = sqlite3.connect(
        f'{path.absolute().as_uri()}?mode={mode}{suffix}', uri=True, timeout=wait_seconds
    )
    with contextlib.closing(connection):
        yield connection


def repair_command(path: pathlib.Path) -> str:
    """Return the command that repairs a file.

    >>> repair_command(pathlib.Path('runs/metadata.sqlite'))
    'python pipeline_runner.py repair --root runs'
    """
    return f'python pipeline_runner.py repair --root {shlex.quote(str(path.parent))}'


def _state_of_error(error: Exception, path: pathlib.Path) -> State:
    text = str(error)
    if 'locked' in text:
        users = _processes_using(path)
        holder = f'process {", ".join(users)}' if users else 'another process'
        return State('locked', f'is locked by {holder}', 'wait until it has ended, or end it')
    if 'unable to open' in text or 'readonly' in text:
        return State('unreadable', f'cannot be opened: {text}', f'check its owner: ls -l {path}')
    return _damaged(path, text)


def _damaged(path: pathlib.Path, text: str) -> State:
    return State('damaged', f'is damaged: {" ".join(text.split())}', repair_command(path))


def _processes_using(path: pathlib.Path) -> list[str]:
    """Return the other processes that have the file open, as `4711 (python)`; Linux only."""
    found = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            open_files = {os.readlink(link) for link in (process / 'fd').iterdir()}
            if str(path) in open_files and process.name != str(os.getpid()):
                found.append(f'{process.name} ({(process / "comm").read_text().strip()})')
    return sorted(found)
