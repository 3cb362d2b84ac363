"""Access to files and folders on a disk or in an object store."""

from __future__ import annotations

import os
import re
from typing import Any

_REMOTE = re.compile(r'^[a-z][a-z0-9+.-]*://', re.IGNORECASE)


class _Disk:
    """The functions of TFX's `fileio` that this project uses."""

    exists = staticmethod(os.path.exists)
    listdir = staticmethod(os.listdir)
    walk = staticmethod(os.walk)
    open = staticmethod(open)


def is_remote(path: str) -> bool:
    """Return whether a path is an address.

    >>> is_remote('gs://bucket/models'), is_remote('runs/models')
    (True, False)
    """
    return bool(_REMOTE.match(path))


def storage_of(path: str) -> Any:
    """Return an object with the functions of TFX's `fileio` that read a path.

    TFX takes seconds to import; it is imported for addresses only.

    Example:
        with storage_of(path).open(path, 'rb') as file:
            ...
    """
    if is_remote(path):
        from tfx.dsl.io import fileio

        return fileio
    return _Disk
