"""Which files there are, and how large they are; on a disk or in an object store.

Folders are listed, not matched: what a person has called one is no pattern.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from components.example_gen.summary import REJECTS_FILES

_REQUESTS_AT_A_TIME = 32
_SPLIT = 'Split-'


def split_files(examples_uri: str, split: str) -> list[str]:
    """Return the paths of a split's files, sorted; none if it has none."""
    return _listed(posixpath.join(examples_uri, f'{_SPLIT}{split}'))


def reject_files(examples_uri: str) -> list[str]:
    """Return the paths of the files of rejected rows, sorted."""
    folder, pattern = posixpath.split(REJECTS_FILES)
    return _listed(posixpath.join(examples_uri, folder), pattern)


def published_files(examples_uri: str) -> list[str]:
    """Return the paths of all that the workers write: of every split, and of the rejects."""
    splits = _listed(examples_uri, f'{_SPLIT}*')
    return [*(path for split in splits for path in _listed(split)), *reject_files(examples_uri)]


def file_bytes(path: str) -> int:
    """Return the size of a file; 0 if there is none, which who reads it will say."""
    try:
        return int(tf.io.gfile.stat(path).length)
    except tf.errors.OpError:
        return 0


def sizes_of(paths: Iterable[str]) -> list[int]:
    """Return the sizes of files, in their order; see `file_bytes`."""
    # Of an object store, each is a request.
    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        return list(pool.map(file_bytes, paths))


def _listed(folder: str, pattern: str = '*') -> list[str]:
    """Return the paths of what is in a folder, sorted; nothing if it is not there."""
    try:
        found = tf.io.gfile.listdir(folder)
    except tf.errors.NotFoundError:
        return []
    # In an object store, the names of folders end in a slash.
    names = fnmatch.filter((name.rstrip('/') for name in found), pattern)
    return [posixpath.join(folder, name) for name in sorted(names)]
