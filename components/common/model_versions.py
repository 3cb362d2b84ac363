"""Reads the pushed versions in a serving folder, on a disk or in an object store."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from components.common import features
from components.common.storage import storage_of

# Written last: a folder without this file is not a model.
SAVED_MODEL_FILE = 'saved_model.pb'
# Files about a version, which are not part of the model.
CARD_PATH = f'assets.extra/{features.MODEL_CARD}'
RESTORED_PATH = f'assets.extra/{features.ROLLBACK_ASSET}'

_CHUNK_BYTES = 1 << 22
_SHA256 = re.compile(r'SHA-256 of the model, over its files: `([0-9a-f]{64})`')


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


def version_numbers(serving_dir: str) -> list[int]:
    """Return the numbers of all versions, complete or not, unordered."""
    storage = storage_of(serving_dir)
    names = storage.listdir(serving_dir) if storage.exists(serving_dir) else []
    return [int(name.rstrip('/')) for name in names if name.rstrip('/').isdecimal()]


def complete_versions(serving_dir: str) -> Iterator[str]:
    """Yield the paths of the versions that a model server would load, latest first.

    The first one is the live version.

    >>> next(complete_versions('no-such-folder'), None)
    """
    storage = storage_of(serving_dir)
    for number in sorted(version_numbers(serving_dir), reverse=True):
        path = posixpath.join(serving_dir, str(number))
        if storage.exists(posixpath.join(path, SAVED_MODEL_FILE)):
            yield path


def model_files(folder: str) -> list[str]:
    """Return the sorted relative paths of a SavedModel's files, without those about the version."""
    names = {
        posixpath.join(parent, name)[len(folder) :].lstrip('/')
        for parent, _, names in storage_of(folder).walk(folder)
        for name in names
    }
    return sorted(names - {CARD_PATH, RESTORED_PATH})


def digest_of_model(model_dir: str) -> str:
    """Return the SHA-256 of a SavedModel, computed from its files' paths and SHA-256s.

    Two versions with the same digest serve the same model.
    """
    digest = hashlib.sha256()
    for name in model_files(model_dir):
        digest.update(name.encode() + b'\0' + _digest(posixpath.join(model_dir, name)))
    return digest.hexdigest()


def recorded_digest(version_dir: str) -> str | None:
    """Return the digest in the model card of a version, None if there is none."""
    path = posixpath.join(version_dir, CARD_PATH)
    storage = storage_of(path)
    if not storage.exists(path):
        return None
    with storage.open(path, 'rb') as file:
        found = _SHA256.search(file.read().decode(errors='replace'))
    return found[1] if found else None


def restored_by(version_dir: str) -> Restored | None:
    """Return what a rollback recorded in a version, None if the pipeline pushed it.

    Raises:
        ValueError: If the record is damaged.
    """
    path = posixpath.join(version_dir, RESTORED_PATH)
    storage = storage_of(path)
    if not storage.exists(path):
        return None
    with storage.open(path, 'rb') as file:
        found = json.loads(file.read())
    try:
        return Restored(**{name: str(found[name]) for name in Restored._fields})
    except (KeyError, TypeError) as err:
        raise ValueError(f'{path} is not the record of a rollback') from err


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with storage_of(path).open(path, 'rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
