"""Finds the IMDB archive."""

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
    """Return the path of the archive: `named`, else $IMDB_ARCHIVE, else the one in the checkout.

    Raises:
        DataError: The file does not exist, or is not a tar archive.
    """
    named = named or os.environ.get(VARIABLE)
    path = pathlib.Path(os.path.abspath(named)) if named else ROOT / NAME
    hint = f'run pipeline_runner.py fetch imdb, or set DATA=FILE or {VARIABLE}=FILE'
    if not path.is_file():
        raise DataError(f'the IMDB archive does not exist: {path}', hint=hint)
    if not tarfile.is_tarfile(path):
        raise DataError(f'expected a tar archive: {path}', hint=hint)
    return path


def file_hash(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file. This also puts it into the page cache."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
