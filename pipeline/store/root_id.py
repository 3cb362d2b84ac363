"""The name by which a shared store knows a root, wherever it is mounted."""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid

ROOT_ID = 'root.id'


def root_id(root: pathlib.Path) -> str:
    """Return the id of a root; it is made when it is first asked for.

    It is not the path, which other machines may have, too; nor does a copy of a
    root keep it: both could then take the other's runs for dead.

    Args:
        root: The folder for all that runs write.

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
        if path.exists():  # of the root that this one is a copy of
            os.replace(part, path)
        else:
            with contextlib.suppress(FileExistsError):  # another run was faster
                os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    return known_root_id(root) or made


def known_root_id(root: pathlib.Path) -> str | None:
    """Return the id of a root; None if it has none, or that of the root it is a copy of."""
    try:
        with open(root / ROOT_ID, encoding='utf-8') as file:
            name, number = file.read().split()
            return name if int(number) == os.fstat(file.fileno()).st_ino else None
    except (FileNotFoundError, ValueError):
        return None


def is_within_reach(root: pathlib.Path) -> bool:
    """Tell whether what is not below a root is gone, and not only not mounted here.

    An empty folder says nothing: it may be where the root is mounted elsewhere.

    Args:
        root: Any run's, of a shared store.
    """
    return (root / ROOT_ID).exists()
