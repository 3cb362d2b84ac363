"""Reads the IMDB data set (Maas et al., 2011) as it is published.

Its layout: `aclImdb/{train,test}/{pos,neg}/<id>_<stars>.txt`, a review each,
and `train/unsup/`, which has no labels and is passed over.
https://ai.stanford.edu/~amaas/data/sentiment/
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from components.errors import DataError
from components.example_gen.records import Record, Reject

_REVIEW = re.compile(r'(?:^|/)(train|test)/(pos|neg)/[^/]+\.txt$')


def read_archive(stream: BinaryIO, name: str) -> Iterator[Record | Reject]:
    """Read all reviews of an archive in one pass, without unpacking it.

    Memory is bounded by the longest review; nothing is written to disk.

    Args:
        stream: The bytes of a tar file, gzipped or not.
        name: The archive's name, for messages.

    Yields:
        Records in the archive's order, with Rejects in between.

    Raises:
        DataError: If the archive is damaged, cut off, or names a path outside
            itself.
    """
    try:
        # tarfile's own gunzipping checks neither the checksum nor that the stream has an end.
        buffered = io.BufferedReader(cast(io.RawIOBase, stream))
        if buffered.peek(2)[:2] == b'\x1f\x8b':
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
        else:
            stream = cast(BinaryIO, buffered)
        with tarfile.open(fileobj=stream, mode='r|*', tarinfo=_Member) as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]
                _require_inside(member.name, name)
                match = _REVIEW.search(member.name)
                if match is None or not member.isfile():
                    continue
                content = archive.extractfile(member)
                assert content is not None  # of a regular file
                where = f'{name}:{member.name}'
                yield read_review(content.read(), match[1], match[2], where)
        while stream.read(1 << 20):
            pass  # to the checksum
    except (tarfile.TarError, EOFError, OSError, zlib.error) as err:
        raise DataError(
            f'{name} is no complete tar archive: {err}',
            hint='it may have been cut off: fetch it again (pipeline_runner.py fetch imdb)',
        ) from err


def read_file(path: str, content: bytes) -> Record | Reject:
    """Read one review of the unpacked data set; its path says split and label."""
    match = _REVIEW.search(path)
    if match is None:
        raise DataError(
            f'expected …/train/pos/NAME.txt or the like, got {path}',
            hint='pass the folder that holds train and test',
        )
    return read_review(content, match[1], match[2], path)


def read_review(content: bytes, split: str, label: str, where: str) -> Record | Reject:
    """Decode one review."""
    try:
        text = content.decode('utf-8')
    except UnicodeDecodeError:
        return Reject('not UTF-8', where)
    if not text.strip():
        return Reject('empty text', where)
    return Record(text, label, split, where)


class _Member(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as err:
            # After the first member, tarfile takes a cut or damaged header for the end.
            raise tarfile.ReadError(str(err)) from err


def _require_inside(member: str, name: str) -> None:
    parts = member.replace('\\', '/').split('/')
    if member.startswith(('/', '\\')) or '..' in parts:
        raise DataError(
            f'{name} holds {member!r}, a path that climbs out of the archive',
            hint='the archive was tampered with: fetch it from its official address',
        )
