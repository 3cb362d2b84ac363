"""Finds the IMDB archive on this machine."""

from __future__ import annotations

import hashlib
import os
import pathlib
import tarfile

from components.common.errors import DataError

NAME = 'aclImdb_v1.tar.gz'
VARIABLE = 'IMDB_ARCHIVE'
ROOT = pathlib.Path(__file__).resolve().parent.parent


def find_archive(named: str | None = None) -> pathlib.Path:
    """Return the archive: the one named, that of the environment, or that in the checkout.

    Raises:
        DataError: It is not there, or is no tar archive.
    """
    named = named or os.environ.get(VARIABLE)
    path = pathlib.Path(os.path.abspath(named)) if named else ROOT / NAME
    hint = f'get it with `pipeline_runner.py fetch imdb`, or name it: DATA=FILE, or {VARIABLE}'
    if not path.is_file():
        raise DataError(f'the IMDB archive is not there: {path}', hint=hint)
    if not tarfile.is_tarfile(path):
        raise DataError(f'no tar archive: {path}', hint=hint)
    return path


def file_hash(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file, which leaves it in the page cache for all who follow."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
