"""Reads the pushed versions in a serving folder, on a disk or in an object store."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from components.common import features
from components.common.storage import storage_of

# Written last: a folder without this file is not a model.
SAVED_MODEL_FILE = 'saved_model.pb'
# Files about a version, which are not part of the model.
CARD_PATH = f'assets.extra/{features.MODEL_CARD}'
DIGEST_PATH = f'assets.extra/{features.DIGEST_ASSET}'
RESTORED_PATH = f'assets.extra/{features.ROLLBACK_ASSET}'

_CHUNK_BYTES = 1 << 22


class Restored(NamedTuple):
    """What a rollback records in the version that it makes.

    Attributes:
        version: The version that it is a copy of, as the pipeline pushed it.
        instead_of: The version that was live before the rollback.
        at: Time of the rollback, in UTC, as text.
    """

    version: str
    instead_of: str
    at: str


def version_names(serving_dir: str) -> list[str]:
    """Return the names of all versions, complete or not, latest first.

    A name is a number. As TensorFlow Serving does, a name with leading zeros is accepted.
    """
    storage = storage_of(serving_dir)
    entries = storage.listdir(serving_dir) if storage.exists(serving_dir) else []
    names = [entry.rstrip('/') for entry in entries]
    numbers = [name for name in names if name.isascii() and name.isdecimal()]
    return sorted(numbers, key=int, reverse=True)


def complete_versions(serving_dir: str) -> Iterator[str]:
    """Yield the paths of the versions that a model server would load, latest first.

    The first one is the live version.

    >>> next(complete_versions('no-such-folder'), None)
    """
    storage = storage_of(serving_dir)
    for name in version_names(serving_dir):
        path = posixpath.join(serving_dir, name)
        if storage.exists(posixpath.join(path, SAVED_MODEL_FILE)):
            yield path


def model_files(folder: str) -> list[str]:
    """Return the sorted relative paths of a SavedModel's files, without those about the version."""
    names = {
        posixpath.join(parent, name)[len(folder) :].lstrip('/')
        for parent, _, names in storage_of(folder).walk(folder)
        for name in names
    }
    return sorted(names - {CARD_PATH, DIGEST_PATH, RESTORED_PATH})


def digest_of_model(model_dir: str) -> str:
    """Return the SHA-256 of a SavedModel, computed from its files' paths and SHA-256s.

    Two versions with the same digest serve the same model.
    """
    digest = hashlib.sha256()
    for name in model_files(model_dir):
        digest.update(name.encode() + b'\0' + _digest(posixpath.join(model_dir, name)))
    return digest.hexdigest()


def recorded_digest(version_dir: str) -> str | None:
    """Return the digest that the model of a version had when it was pushed.

    Returns:
        None if it was not recorded: another program wrote the version, or an older version
        of the pipeline.
    """
    path = posixpath.join(version_dir, DIGEST_PATH)
    storage = storage_of(path)
    if not storage.exists(path):
        return None
    with storage.GFile(path, 'rb') as file:
        return str(file.read().decode(errors='replace').strip())


def restored_by(version_dir: str) -> Restored | None:
    """Return what a rollback recorded in a version, None if the pipeline pushed it.

    Raises:
        ValueError: If the record is damaged.
    """
    path = posixpath.join(version_dir, RESTORED_PATH)
    storage = storage_of(path)
    if not storage.exists(path):
        return None
    with storage.GFile(path, 'rb') as file:
        found = json.loads(file.read())
    try:
        return Restored(**{name: str(found[name]) for name in Restored._fields})
    except (KeyError, TypeError) as err:
        raise ValueError(f'{path} is not the record of a rollback') from err


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with storage_of(path).GFile(path, 'rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
