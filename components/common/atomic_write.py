"""Writes files that exist completely or not at all.

The content is written to a temporary file, which is renamed at the end. Two writers of one
file do not disturb each other: each has a temporary file of its own. That includes Beam
workers, since a runner may repeat a piece of work while the first attempt still runs.
"""

from __future__ import annotations

import contextlib
import glob
import os
import posixpath
import uuid
from collections.abc import Iterator

from components.common.errors import ComponentError
from components.common.storage import storage_of

# Workers collect their temporary files here; their executor removes the folder.
UNFINISHED = '.unfinished'


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str], *, part_dir: str | None = None) -> Iterator[str]:
    """Give a file its name at the end of the block, or remove it if the block raises.

    Args:
        path: The file, on a disk or in an object store; an existing one is replaced.
        part_dir: Folder for the temporary file, on the same file system; it and the folder
            of `path` are created if missing. None for a hidden file next to `path`.

    Yields:
        The path of the temporary file to write.

    Raises:
        OSError: If the file cannot be renamed.

    Example:
        with atomic_file('metadata.copy.sqlite') as part:
            shutil.copy('metadata.sqlite', part)
    """
    path = os.fspath(path)
    storage = storage_of(path)
    folder, name = os.path.split(path)
    unique = uuid.uuid4().hex[:12]
    if part_dir is None:
        part = os.path.join(folder, f'.{name}.{unique}.part')
    else:
        for parent in (part_dir, folder):
            storage.makedirs(parent)
        part = os.path.join(part_dir, f'{unique}.part')
    try:
        yield part
        storage.rename(part, path, overwrite=True)
    except BaseException:
        with contextlib.suppress(Exception):
            storage.remove(part)
        raise


def atomic_write(
    path: str | os.PathLike[str], content: bytes | str, *, part_dir: str | None = None
) -> None:
    """Write a file that appears complete; text is encoded as UTF-8. See `atomic_file`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(f'{folder}/a.txt', 'complete')
    ...     os.listdir(folder)
    ['a.txt']
    """
    with atomic_file(path, part_dir=part_dir) as part, storage_of(part).GFile(part, 'wb') as file:
        file.write(content.encode() if isinstance(content, str) else content)


def remove_parts(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files of `path` that killed processes left on the disk.

    No other process may write `path` meanwhile.
    """
    folder, name = os.path.split(os.fspath(path))
    # SQLite keeps a journal next to the file.
    for part in glob.glob(os.path.join(glob.escape(folder), f'.{glob.escape(name)}.*.part*')):
        os.unlink(part)


def unfinished_dir(path: str) -> str:
    """Return the folder next to `path` in which workers collect temporary files.

    >>> unfinished_dir('gs://bucket/run/vocabulary')
    'gs://bucket/run/.unfinished'
    """
    return posixpath.join(posixpath.dirname(path), UNFINISHED)


def clear_unfinished(unfinished: str, node: str) -> None:
    """Remove the temporary files of workers, including those of failed attempts.

    Args:
        unfinished: The folder that the workers collected them in.
        node: Node id of the workers, for the message.

    Raises:
        ComponentError: If the folder does not exist, so that the workers wrote elsewhere.
    """
    storage = storage_of(unfinished)
    if not storage.exists(unfinished):
        raise nothing_written(posixpath.dirname(unfinished), node)
    storage.rmtree(unfinished)


def nothing_written(folder: str, node: str) -> ComponentError:
    """Return the error for workers of a node that wrote nothing into a folder."""
    return ComponentError(
        f'{node}: expected output of the workers in {folder}, found none',
        hint='the workers must find the data and the artifacts at the same paths as this run',
    )
