"""Reads folders, whether they are on a disk or in an object store."""

from __future__ import annotations

import os
import re
from typing import Any

_REMOTE = re.compile(r'^[a-z][a-z0-9+.-]*://', re.IGNORECASE)


class _Disk:
    """The same functions as TFX's `fileio`."""

    exists = staticmethod(os.path.exists)
    listdir = staticmethod(os.listdir)
    walk = staticmethod(os.walk)
    open = staticmethod(open)


def is_remote(path: str) -> bool:
    """Tell whether a path is an address, as `gs://bucket/models`."""
    return bool(_REMOTE.match(path))


def storage_of(path: str) -> Any:
    """Return what reads a path: has `exists`, `listdir`, `walk` and `open`.

    TFX takes seconds to import, and is needed for addresses alone.
    """
    if is_remote(path):
        from tfx.dsl.io import fileio

        return fileio
    return _Disk
