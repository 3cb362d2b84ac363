"""Lists the files of an Examples artifact, on a disk or in an object store.

Folders are listed, not matched: a folder's name may look like a pattern.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from components.common.storage import file_bytes, storage_of
from components.example_gen.summary import REJECTS_FILES

_PARALLEL_REQUESTS = 32
_SPLIT = 'Split-'
_REPORT = 'report'


def split_files(examples_uri: str, split: str) -> list[str]:
    """Return the paths of a split's files, sorted; none if it has none."""
    return _list(posixpath.join(examples_uri, f'{_SPLIT}{split}'))


def reject_files(examples_uri: str) -> list[str]:
    """Return the paths of the files of rejected rows, sorted."""
    folder, pattern = posixpath.split(REJECTS_FILES)
    return _list(posixpath.join(examples_uri, folder), pattern)


def origin_files(examples_uri: str, split: str = '*') -> list[str]:
    """Return the paths of the files of the origins of a split's examples, or of all; sorted.

    They are in the order of the files of the split.
    """
    return _list(posixpath.join(examples_uri, _REPORT), f'origins-{split}-*.txt.gz')


def published_files(examples_uri: str) -> list[str]:
    """Return the paths of the files of all splits, of the rejects, and of the origins."""
    splits = _list(examples_uri, f'{_SPLIT}*')
    of_splits = [path for split in splits for path in _list(split)]
    return [*of_splits, *reject_files(examples_uri), *origin_files(examples_uri)]


def sizes_of(paths: Iterable[str]) -> list[int]:
    """Return the sizes of files, in their order; see `file_bytes`."""
    # In an object store, each is a request.
    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
        return list(pool.map(file_bytes, paths))


def _list(folder: str, pattern: str = '*') -> list[str]:
    storage = storage_of(folder)
    if not storage.isdir(folder):
        return []
    found = storage.listdir(folder)
    # In an object store, the names of folders end in a slash.
    names = fnmatch.filter((name.rstrip('/') for name in found), pattern)
    return [posixpath.join(folder, name) for name in sorted(names)]
