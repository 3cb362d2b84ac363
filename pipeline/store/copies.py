"""The copy of ML Metadata's file that each run leaves, and how a run begins without the file."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sqlite3
import time

from components.common.errors import ReviewsError
from pipeline.local.lock import root_lock
from pipeline.store.execution_ids import highest_execution
from pipeline.store.metadata_file import METADATA, examine, exists, opened
from pipeline.store.opening import opened_store, sqlite_config

_log = logging.getLogger(__name__)

COPY = 'metadata.copy.sqlite'
# What becomes the copy, and the file. All runs below a root have the same, and its lock.
_PART_OF_COPY = f'{COPY}.part'
_PART_OF_FILE = f'{METADATA}.part'


def keep_copy(path: pathlib.Path) -> None:
    """Copy the file aside, so that it can be put back; the copy appears as a whole.

    What cannot be copied is told in the log: the run is what it was.
    """
    if not exists(path):
        return
    try:
        with root_lock(path.parent):
            _keep_copy(path)
    except (OSError, sqlite3.Error, ReviewsError):
        _log.exception('the metadata could not be copied')


def _keep_copy(path: pathlib.Path) -> None:
    if examine(path).problem:
        return
    part = path.with_name(_PART_OF_COPY)
    try:
        _remove_parts(path.parent)
        with opened(path) as source, contextlib.closing(sqlite3.connect(part)) as target:
            source.backup(target)
        os.replace(part, path.with_name(COPY))
    finally:
        part.unlink(missing_ok=True)


def _remove_parts(root: pathlib.Path) -> None:
    """Remove what a process has left that was killed; the lock of the root must be held."""
    for part in (_PART_OF_COPY, f'{_PART_OF_COPY}-journal', _PART_OF_FILE):
        (root / part).unlink(missing_ok=True)


def put_back(path: pathlib.Path) -> str | None:
    """Put the copy in the place of a file that is missing; hold the lock of the root.

    Returns:
        When the copy was made, as `2026-11-25 08:48`; None if there is none that can be
        used.
    """
    copy = path.with_name(COPY)
    if not exists(copy) or examine(copy, thorough=True, to_write=False).problem:
        return None
    made = time.strftime('%Y-%m-%d %H:%M', time.localtime(copy.stat().st_mtime))
    part = path.with_name(_PART_OF_FILE)
    part.write_bytes(copy.read_bytes())
    # What belongs to the file that was there does not belong to this one.
    path.with_name(f'{path.name}-journal').unlink(missing_ok=True)
    os.replace(part, path)
    return made


def never_reuse(path: pathlib.Path, execution_id: int) -> None:
    """Have new executions get higher ids, as those up to this one have left folders.

    A store that was lost or put back would else count anew, and write among the
    files of executions that it does not know.
    """
    with opened(path, to_write=True) as connection:
        found = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'Execution'"
        ).fetchall()
        if found and found[0][0] >= execution_id:
            return
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'Execution'")
        connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('Execution', ?)", (execution_id,)
        )
        connection.commit()


def open_for_run(root: pathlib.Path) -> str:
    """Make the store ready for a run.

    A missing one is put back from its copy; without a copy, a new one is made.
    Neither reuses ids of executions that have left files.

    Args:
        root: The folder for all that runs write.

    Returns:
        What a person should know of it, or an empty string.
    """
    with root_lock(root):  # a run of another name may find it missing, too
        _remove_parts(root)
        return _open_for_run(root)


def _open_for_run(root: pathlib.Path) -> str:
    path = root / METADATA
    told = ''
    last = highest_execution(root / 'artifacts')
    if not exists(path):
        made = put_back(path)
        if made:
            told = f'{METADATA} was missing: its copy of {made} was put back'
        elif last:
            told = f'{METADATA} was missing: all is made anew, and the baseline is what is served'
    if last:
        if not exists(path):
            opened_store(sqlite_config(path))
        never_reuse(path, last)
    return told
