"""The folder of pushed versions, on whatever storage, as steps see it."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator

from tfx.dsl.io import fileio

# It is written last: without it, nothing is a model.
SAVED_MODEL_FILE = 'saved_model.pb'

_CHUNK_BYTES = 1 << 22


def version_numbers(serving_dir: str) -> list[int]:
    """Return the numbers of all versions, complete or not, in no order."""
    names = fileio.listdir(serving_dir) if fileio.exists(serving_dir) else []
    return [int(name.rstrip('/')) for name in names if name.rstrip('/').isdecimal()]


def complete_versions(serving_dir: str) -> Iterator[str]:
    """Yield the paths of the versions that a model server would load, latest first."""
    for number in sorted(version_numbers(serving_dir), reverse=True):
        path = posixpath.join(serving_dir, str(number))
        if fileio.exists(posixpath.join(path, SAVED_MODEL_FILE)):
            yield path


def same_model(one: str, other: str) -> bool:
    """Tell whether two SavedModels are equal file by file."""
    files = _files(one)
    return files == _files(other) and all(
        _digest(posixpath.join(one, name)) == _digest(posixpath.join(other, name)) for name in files
    )


def _files(folder: str) -> list[str]:
    return sorted(
        posixpath.join(parent, name)[len(folder) :].lstrip('/')
        for parent, _, names in fileio.walk(folder)
        for name in names
    )


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with fileio.open(path, 'rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
