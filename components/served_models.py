"""The folder of pushed versions, on whatever storage, as steps see it."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator

from tfx.dsl.io import fileio

from components import features

# It is written last: without it, nothing is a model.
SAVED_MODEL_FILE = 'saved_model.pb'
# It tells of a version, and is no part of the model.
CARD_PATH = f'assets.extra/{features.MODEL_CARD}'

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
    """Tell whether two SavedModels are equal file by file, model cards aside."""
    files = _files(one)
    return files == _files(other) and all(
        _digest(posixpath.join(one, name)) == _digest(posixpath.join(other, name)) for name in files
    )


def digest_of_model(model_dir: str) -> str:
    """Return the SHA-256 of a SavedModel: of its files' names and SHA-256s, in their order."""
    digest = hashlib.sha256()
    for name in _files(model_dir):
        digest.update(name.encode() + b'\0' + _digest(posixpath.join(model_dir, name)))
    return digest.hexdigest()


def _files(folder: str) -> list[str]:
    names = {
        posixpath.join(parent, name)[len(folder) :].lstrip('/')
        for parent, _, names in fileio.walk(folder)
        for name in names
    }
    return sorted(names - {CARD_PATH})


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with fileio.open(path, 'rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
