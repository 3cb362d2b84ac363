"""Reads the IMDB data set (Maas et al., 2011) in its published layout.

Each file `aclImdb/{train,test}/{pos,neg}/<id>_<stars>.txt` is one review, and
`train/unsup/` contains reviews without a label.
https://ai.stanford.edu/~amaas/data/sentiment/
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from components.common import features
from components.common.errors import DataError
from components.readers import archive
from components.readers.records import EMPTY_TEXT, NOT_UTF8, TOO_LONG, Record, Reject

_REVIEW = re.compile(r'(?:^|/)(?:(train|test)/(pos|neg)|train/unsup)/[^/]+\.txt\Z')


def read_archive(stream: BinaryIO, name: str, unlabelled: bool) -> Iterator[Record | Reject]:
    """Read the reviews of an archive in one pass, with Rejects in between.

    Memory is bounded by the longest review; nothing is written to disk.
    `unlabelled` includes the reviews without a label.

    Raises:
        DataError: If the archive is damaged, cut off, or names a path outside
            itself.
    """

    def select(member: str) -> re.Match[str] | None:
        _require_inside(member, name)
        match = _REVIEW.search(member)
        return match if match is None or match[2] or unlabelled else None

    try:
        for match, content in archive.read_files(stream, select):
            yield _read_review(content, match, f'{name}:{match.string}')
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as err:
        raise DataError(
            f'{name} is not a complete tar archive: {err}',
            hint='it may have been cut off: fetch it again (pipeline_runner.py fetch imdb)',
        ) from err


def read_file(path: str, content: bytes | None) -> Record | Reject:
    """Read one review of the extracted data set; split and label are in its path.

    >>> read_file('aclImdb/train/pos/0_9.txt', b'Good.')[:3]
    ('Good.', 'pos', 'train')

    A content of None stands for more than `archive.MAX_FILE_BYTES`.
    """
    match = _REVIEW.search(path)
    assert match is not None, path
    return _read_review(content, match, path)


def _read_review(content: bytes | None, match: re.Match[str], where: str) -> Record | Reject:
    if content is None:
        return Reject(TOO_LONG, where)
    try:
        text = content.decode('utf-8')
    except UnicodeDecodeError:
        return Reject(NOT_UTF8, where)
    if not text.strip():
        return Reject(EMPTY_TEXT, where)
    return Record(text, match[2], match[1] or features.UNLABELLED_SPLIT, where)


def _require_inside(member: str, name: str) -> None:
    parts = member.replace('\\', '/').split('/') if '..' in member else ()
    if member.startswith(('/', '\\')) or '..' in parts:
        raise DataError(
            f'{name} holds {member!r}, a path outside the archive',
            hint='the archive was manipulated: fetch it from its official address',
        )
