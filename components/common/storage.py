"""Access to files and folders on a disk or in an object store."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

_REMOTE = re.compile(r'^[a-z][a-z0-9+.-]*://', re.IGNORECASE)


class _Disk:
    """The functions of `tf.io.gfile` that this project uses."""

    exists = staticmethod(os.path.exists)
    listdir = staticmethod(os.listdir)
    remove = staticmethod(os.unlink)
    rmtree = staticmethod(shutil.rmtree)
    walk = staticmethod(os.walk)
    GFile = staticmethod(open)

    @staticmethod
    def makedirs(path: str) -> None:
        os.makedirs(path, exist_ok=True)

    @staticmethod
    def rename(source: str, target: str, *, overwrite: bool) -> None:
        assert overwrite
        with open(source, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(source, target)


def is_remote(path: str) -> bool:
    """Return whether a path is an address.

    >>> is_remote('gs://bucket/models'), is_remote('runs/models')
    (True, False)
    """
    return bool(_REMOTE.match(path))


def storage_of(path: str) -> Any:
    """Return an object with the functions of `tf.io.gfile`, for a path.

    TensorFlow takes seconds to import; it is imported for addresses only.

    Example:
        with storage_of(path).GFile(path, 'rb') as file:
            ...
    """
    if is_remote(path):
        import tensorflow as tf

        return tf.io.gfile
    return _Disk
