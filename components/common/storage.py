"""Access to files and folders on a disk or in an object store."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from components.common.errors import ConfigError

# Addresses of what is downloaded, with the clients of their owners.
_NOT_STORAGE = re.compile(
    r'^(?:(?P<scheme>https?|ftps?|sftp|scp|ssh|git|hf|kaggle|data|file):(?=//)|git@)', re.IGNORECASE
)
_INSTEAD = {
    'hf': 'download it first: hf download --repo-type dataset OWNER/NAME',
    'kaggle': 'download it first: kaggle datasets download OWNER/NAME',
    'git': 'clone it first, and pass a file or folder in it',
    'ssh': 'copy it first, and pass the file',
    'file': 'pass the path without file://',
}
_REMOTE = re.compile(r'^[a-z][a-z0-9+.-]*://', re.IGNORECASE)


class _Disk:
    """The functions of `tf.io.gfile` that this project uses."""

    exists = staticmethod(os.path.exists)
    isdir = staticmethod(os.path.isdir)
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


def require_supported_address(path: str) -> None:
    """Check that an address is one of storage, not of something to download.

    >>> require_supported_address('hf://datasets/imdb/train.csv')
    Traceback (most recent call last):
      ...
    components.common.errors.ConfigError: cannot read the address hf://datasets/imdb/train.csv

    Raises:
        ConfigError: If it has to be downloaded, or is a local file written as an address.
    """
    match = _NOT_STORAGE.match(path)
    if match is None:
        return
    scheme = (match['scheme'] or 'git').lower()
    hint = _INSTEAD.get(scheme, 'download it first, and pass the file')
    raise ConfigError(f'cannot read the address {path}', hint=hint)


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


def file_bytes(path: str) -> int:
    """Return the size of a file; 0 if there is none, which its reader reports."""
    if not is_remote(path):
        try:
            return os.stat(path).st_size
        except OSError:
            return 0
    import tensorflow as tf

    try:
        return int(tf.io.gfile.stat(path).length)
    except tf.errors.OpError:
        return 0
