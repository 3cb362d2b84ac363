"""The id of a pipeline root in a shared store, independent of where the root is mounted."""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid

ROOT_ID = 'root.id'


def root_id(root: pathlib.Path) -> str:
    """Return the id of a root; the first call creates it.

    The id is not the path, because other machines may have the same path. A copy of a
    root gets an id of its own; otherwise, each of the two roots would cancel executions
    of the other.

    Args:
        root: The pipeline root.

    Raises:
        OSError: If it cannot be written.
    """
    path = root / ROOT_ID
    known = known_root_id(root)
    if known is not None:
        return known
    root.mkdir(parents=True, exist_ok=True)
    made = uuid.uuid4().hex
    part = root / f'{ROOT_ID}.{made}.part'
    try:
        with open(part, 'x', encoding='utf-8') as file:
            file.write(f'{made} {os.fstat(file.fileno()).st_ino}\n')
        if path.exists():  # copied from another root
            os.replace(part, path)
        else:
            with contextlib.suppress(FileExistsError):  # another run was faster
                os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    return known_root_id(root) or made


def known_root_id(root: pathlib.Path) -> str | None:
    """Return the id of a root; None if it has none, or was copied from another root."""
    # A copied file has another inode number than the one that it contains.
    try:
        with open(root / ROOT_ID, encoding='utf-8') as file:
            name, number = file.read().split()
            return name if int(number) == os.fstat(file.fileno()).st_ino else None
    except (FileNotFoundError, ValueError):
        return None


def is_within_reach(root: pathlib.Path) -> bool:
    """Return whether the files of another root can be read here.

    An empty folder may be the mount point of a root that is not mounted.
    """
    return (root / ROOT_ID).exists()
