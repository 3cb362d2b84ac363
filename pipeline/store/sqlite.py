"""The metadata store of one pipeline root: a SQLite file in it, and its backup copy."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

from components.common.atomic_write import atomic_file, remove_parts
from components.common.errors import ReviewsError, StoreError
from pipeline.store.artifacts import highest_execution
from pipeline.store.metadata_store import (
    OlderSchemaError,
    open_store,
    repair_command,
    require_schema,
    sqlite_config,
    upgrade_schema,
)
from pipeline.store.run_lock import root_lock

_log = logging.getLogger(__name__)

METADATA = 'metadata.sqlite'
BACKUP = 'metadata.copy.sqlite'
LOCK_WAIT_SECONDS = 10.0


class DamagedFileError(StoreError):
    """The file is not a database of ML Metadata, or is damaged."""


class SqliteBackend:
    """The file `metadata.sqlite` in a pipeline root.

    Args:
        root: The pipeline root.

    Attributes:
        where: Description of the store, for messages.
        shared: Whether other roots use the store, too.

    Example:
        SqliteBackend(pathlib.Path('runs')).repair()
    """

    shared = False

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._path = root / METADATA
        self._backup = root / BACKUP
        self.where = str(self._path)

    def connection(self) -> Any:
        """Return the ConnectionConfig of a run, which may contain a password: never print it."""
        return sqlite_config(self._path)

    def reader(self) -> Any | None:
        """Return a ConnectionConfig for reading; None if nothing was written yet."""
        check_file(self._path, to_write=False)
        return sqlite_config(self._path, read_only=True) if _exists(self._path) else None

    def require_usable(self) -> None:
        """Raise a ReviewsError if a run cannot use the store."""
        check_file(self._path)

    def describe(self) -> tuple[str, str]:
        """Check the store thoroughly, and describe its condition. Nothing is changed.

        Returns:
            The condition, and what happens next if something is missing, or ''.
        """
        path, copy = self._path, self._backup
        check_file(path, thorough=True, to_write=False)
        if not _exists(path):
            if _exists(copy):
                return f'{path} is missing', 'the next run restores its backup copy'
            if highest_execution(self._root):
                return (
                    f'{path} and its backup copy are missing',
                    'restore a backup of your own, or the next run executes every node again',
                )
            return 'none yet', ''
        if not self._has_backup():
            return f'{copy} is missing or damaged', 'no action is needed: the next run replaces it'
        size = f'{path.stat().st_size / 1e6:.1f} MB'
        return f'{size}, no damage; backup copy of {_time_of(copy)}', ''

    def open_for_run(self) -> str:
        """Prepare the store for a run, and return a message for the user, or ''.

        A missing file is restored from its backup copy, or created. New executions do not
        get the ids of executions that left files.
        """
        with root_lock(self._root):  # runs of other pipelines may find it missing, too
            for path in (self._backup, self._path):
                remove_parts(path)
            message = ''
            last = highest_execution(self._root)
            if not _exists(self._path):
                if self._restore_backup():
                    created = _time_of(self._backup)
                    message = f'{METADATA} was missing: its backup copy of {created} was restored'
                elif last:
                    message = f'{METADATA} and its backup copy were missing: every node is executed'
            if last:
                if not _exists(self._path):
                    open_store(self.connection())
                self._reserve_ids(last)
            return message

    def own_context(self, name: str) -> tuple[str, str]:
        """Return type and name of the context of all executions of a pipeline below this root."""
        return 'pipeline', name  # the context that TFX itself creates

    def own_executions(self, store: Any) -> set[int] | None:
        """Return the ids of this root's executions in a MetadataStore; None for all executions."""
        return None

    def claim(self, run_id: str) -> None:
        """Reserve a run id: raise FileExistsError if a run of another root has it."""

    def back_up(self) -> None:
        """Make a backup copy after a run."""
        if not _exists(self._path):
            return
        try:
            with root_lock(self._root):
                check_file(self._path)
                remove_parts(self._backup)
                with (
                    atomic_file(self._backup) as part,
                    _open_file(self._path) as source,
                    contextlib.closing(sqlite3.connect(part)) as target,
                ):
                    source.backup(target)
        except (OSError, sqlite3.Error, ReviewsError):
            _log.exception('the metadata could not be backed up')

    def repair(self) -> list[str]:
        """Make the store usable again, and return what was done, a line each.

        An older schema is upgraded; a damaged or missing file is restored from its backup
        copy. The damaged file is renamed, never deleted. The next run repeats the executions that
        are newer than the backup copy, or all executions if there is no copy.
        """
        done = []
        with root_lock(self._root):
            try:
                check_file(self._path, thorough=True)
            except OlderSchemaError:
                return [upgrade_schema(self.connection(), self.where)]
            except DamagedFileError:
                done.append(self._move_aside())
            if _exists(self._path):
                return []
            if self._restore_backup():
                created = _time_of(self._backup)
                done.append(
                    f'{self._path} was restored from its backup copy of {created}; the next run '
                    'repeats what followed'
                )
            elif done:
                done.append('there is no backup copy: the next run executes every node')
        return done

    def _has_backup(self) -> bool:
        try:
            check_file(self._backup, thorough=True, to_write=False)
        except StoreError:
            return False
        return _exists(self._backup)

    def _restore_backup(self) -> bool:
        """Restore a missing file; return whether there is a backup copy."""
        if not self._has_backup():
            return False
        # A journal that still exists belongs to the lost file.
        self._journal().unlink(missing_ok=True)
        with atomic_file(self._path) as part:
            shutil.copyfile(self._backup, part)
        return True

    def _move_aside(self) -> str:
        aside = self._path.with_name(f'{METADATA}.damaged-{time.strftime("%Y-%m-%dT%H-%M-%S")}')
        os.replace(self._path, aside)
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._journal(), f'{aside}-journal')
        return f'the damaged {METADATA} is now {aside}'

    def _journal(self) -> pathlib.Path:
        return self._path.with_name(f'{METADATA}-journal')

    def _reserve_ids(self, last: int) -> None:
        """Make new executions get ids above `last`, so that they overwrite no files."""
        with _open_file(self._path, to_write=True) as connection:
            where = "WHERE name = 'Execution'"
            found = connection.execute(f'SELECT seq FROM sqlite_sequence {where}').fetchall()
            if not found or found[0][0] < last:
                connection.execute(f'DELETE FROM sqlite_sequence {where}')
                connection.execute("INSERT INTO sqlite_sequence VALUES ('Execution', ?)", (last,))
                connection.commit()


def check_file(
    path: pathlib.Path,
    *,
    thorough: bool = False,
    to_write: bool = True,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
) -> None:
    """Check that a file is missing, empty, or a store that can be used. Nothing is changed.

    Args:
        path: The file.
        thorough: Also check each index.
        to_write: Also check that the file is writable and not locked.
        lock_wait_seconds: How long to wait for another process that writes.

    Raises:
        DamagedFileError: If it is damaged.
        OlderSchemaError: If an older ML Metadata wrote it.
        StoreError: If it cannot be used for another reason.
    """
    if path.exists() and not path.is_file():
        raise DamagedFileError(f'{path} is not a file', hint=repair_command(path))
    if not _exists(path):
        return
    if to_write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        hint = f'make it and its folder writable: chmod u+w {path}'
        raise StoreError(f'{path} is not writable', hint=hint)
    try:
        with _open_file(path, lock_wait_seconds) as connection:
            check = 'integrity_check' if thorough else 'quick_check'
            ((found, *_), *_) = connection.execute(f'PRAGMA {check}(1)').fetchall()
            if found != 'ok':
                raise _damaged(path, found)
            ((version,),) = connection.execute('SELECT schema_version FROM MLMDEnv').fetchall()
            if to_write:
                connection.execute('BEGIN IMMEDIATE')
                connection.execute('ROLLBACK')
    except (sqlite3.Error, ValueError) as err:
        raise _explain(err, path) from err
    require_schema(str(path), version, repair_command(path))


def _exists(path: pathlib.Path) -> bool:
    # SQLite treats an empty file as a new one.
    return path.is_file() and path.stat().st_size > 0


def _time_of(path: pathlib.Path) -> str:
    return time.strftime('%Y-%m-%d %H:%M', time.localtime(path.stat().st_mtime))


@contextlib.contextmanager
def _open_file(
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


def _explain(error: Exception, path: pathlib.Path) -> StoreError:
    text = str(error)
    if 'locked' in text:
        users = ', '.join(_processes_using(path)) or 'unknown'
        return StoreError(
            f'{path} is locked by process {users}', hint='wait until it has ended, or end it'
        )
    if 'unable to open' in text or 'readonly' in text:
        return StoreError(f'{path} cannot be opened: {text}', hint=f'check its owner: ls -l {path}')
    return _damaged(path, text)


def _damaged(path: pathlib.Path, text: str) -> DamagedFileError:
    return DamagedFileError(f'{path} is damaged: {text}', hint=repair_command(path))


def _processes_using(path: pathlib.Path) -> list[str]:
    """Return the other processes that have the file open, as `4711 (python)`; Linux only."""
    found = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            open_files = {os.readlink(link) for link in (process / 'fd').iterdir()}
            if str(path) in open_files and process.name != str(os.getpid()):
                found.append(f'{process.name} ({(process / "comm").read_text().strip()})')
    return sorted(found)
