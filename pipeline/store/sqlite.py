"""The metadata store of one pipeline root: a SQLite file in it, and its backup copy."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import shutil
import sqlite3
import time
from typing import Any

from components.common.atomic_write import atomic_file, remove_parts
from components.common.errors import ReviewsError, StoreError
from pipeline.store.backend import Backend, OwnContext
from pipeline.store.manifest import highest_execution
from pipeline.store.metadata_file import METADATA, examine, exists, open_file, require_usable
from pipeline.store.metadata_store import open_store, sqlite_config, upgrade_schema
from pipeline.store.run_lock import root_lock

_log = logging.getLogger(__name__)

BACKUP = 'metadata.copy.sqlite'


class SqliteBackend(Backend):
    """The file `metadata.sqlite` in a pipeline root.

    Args:
        root: The pipeline root.

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
        return sqlite_config(self._path)

    def reader(self) -> Any | None:
        require_usable(self._path, to_write=False)
        return sqlite_config(self._path, read_only=True) if exists(self._path) else None

    def require_usable(self) -> None:
        require_usable(self._path)

    def open_for_run(self) -> str:
        """Restore a missing file from its backup copy, or create a new one.

        New executions do not get the ids of executions that left files.
        """
        with root_lock(self._root):  # runs of other pipelines may find it missing, too
            for path in (self._backup, self._path):
                remove_parts(path)
            message = ''
            last = highest_execution(self._root / 'artifacts')
            if not exists(self._path):
                created = self._restore_backup()
                if created:
                    message = f'{METADATA} was missing: its backup copy of {created} was restored'
                elif last:
                    message = f'{METADATA} and its backup copy were missing: every node is executed'
            if last:
                if not exists(self._path):
                    open_store(self.connection())
                self._reserve_ids(last)
            return message

    def claim(self, run_id: str) -> None:
        """Do nothing: no other root uses the file."""

    def own_context(self, name: str) -> OwnContext:
        return OwnContext('pipeline', name)  # the context that TFX itself creates

    def own_executions(self, store: Any) -> set[int] | None:
        return None

    def back_up(self) -> None:
        if not exists(self._path):
            return
        try:
            with root_lock(self._root):
                if not examine(self._path).problem:
                    remove_parts(self._backup)
                    self._copy()
        except (OSError, sqlite3.Error, ReviewsError):
            _log.exception('the metadata could not be backed up')

    def _copy(self) -> None:
        with (
            atomic_file(self._backup) as part,
            open_file(self._path) as source,
            contextlib.closing(sqlite3.connect(part)) as target,
        ):
            source.backup(target)

    def repair(self) -> list[str]:
        """Upgrade an older schema, or replace a damaged or missing file by its backup copy.

        The damaged file is renamed, never deleted. The next run repeats the executions that
        are newer than the backup copy, or all executions if there is no copy.
        """
        state = examine(self._path, thorough=True)
        if state.problem == 'older':
            upgrade_schema(
                self.connection(), self.where, 'restore a backup of it, or pass another --root'
            )
            return [f'the schema of {self._path} was upgraded']
        if state.problem and state.problem != 'damaged':
            raise StoreError(f'{self._path} {state.message}', hint=state.hint)
        if not state.problem and exists(self._path):
            return []
        with root_lock(self._root):
            done = [self._move_aside()] if state.problem else []
            created = self._restore_backup()
            if created:
                done.append(
                    f'{self._path} was restored from its backup copy of {created}; the next run '
                    'repeats what followed'
                )
            elif done:
                done.append('there is no backup copy: the next run executes every node')
        return done

    def explain_failure(self, error: BaseException) -> ReviewsError | None:
        return None

    def _restore_backup(self) -> str | None:
        """Restore a missing file; return the time of the backup copy, None if there is none."""
        copy = self._backup
        if not exists(copy) or examine(copy, thorough=True, to_write=False).problem:
            return None
        # A journal that still exists belongs to the lost file.
        self._journal().unlink(missing_ok=True)
        with atomic_file(self._path) as part:
            shutil.copyfile(copy, part)
        return time.strftime('%Y-%m-%d %H:%M', time.localtime(copy.stat().st_mtime))

    def _move_aside(self) -> str:
        base = f'{METADATA}.damaged-{time.strftime("%Y-%m-%dT%H-%M-%S")}'
        names = (base if n == 1 else f'{base}-{n}' for n in range(1, 1_000))
        aside = next(p for p in map(self._path.with_name, names) if not p.exists())
        os.replace(self._path, aside)
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._journal(), f'{aside}-journal')
        return f'the damaged {METADATA} is now {aside}'

    def _journal(self) -> pathlib.Path:
        return self._path.with_name(f'{METADATA}-journal')

    def _reserve_ids(self, last: int) -> None:
        """Make new executions get ids above `last`, so that they overwrite no files."""
        with open_file(self._path, to_write=True) as connection:
            where = "WHERE name = 'Execution'"
            found = connection.execute(f'SELECT seq FROM sqlite_sequence {where}').fetchall()
            if not found or found[0][0] < last:
                connection.execute(f'DELETE FROM sqlite_sequence {where}')
                connection.execute("INSERT INTO sqlite_sequence VALUES ('Execution', ?)", (last,))
                connection.commit()
