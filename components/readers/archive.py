"""Reads the files of a tar archive in one pass, and trusts none of its headers.

Python's `tarfile` takes some 60 us for a member: 7.3 CPU s for the 100,000 files
of IMDB. This reader takes 1.4 s, half of it to unpack gzip.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar, cast

from components.readers.tar_headers import BLOCK_BYTES, any_header, plain_header
from components.readers.unpacking import CHUNK_BYTES, bunzip2, gunzip, unxz

_T = TypeVar('_T')

# The limit of a row of a table is the same.
MAX_FILE_BYTES = 64_000_000

_END = bytes(BLOCK_BYTES)


def read_files(
    stream: BinaryIO, select: Callable[[str], _T | None]
) -> Iterator[tuple[_T, bytes | None]]:
    """Yield the selected files of an archive.

    Memory is bounded by the longest of them.

    Args:
        stream: The bytes of a tar file: plain, or packed by gzip, bzip2 or xz.
        select: Called with the name of every member, whether a file or not. It
            returns None to skip the member, or a value to yield with its content.

    Yields:
        The value and the content of each selected file; the content of a file of
        more than `MAX_FILE_BYTES` is None.

    Raises:
        tarfile.ReadError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError:
            If the archive is damaged, cut off, or made to do harm.
    """
    chunks = _unpack(io.BufferedReader(cast(io.RawIOBase, stream), CHUNK_BYTES))
    reader = _Reader(chunks)
    while (block := reader.read(BLOCK_BYTES)) != _END:
        name, size, is_file = plain_header(block) or any_header(block, reader.read)
        padded = -size % BLOCK_BYTES + size
        selected = select(name)
        if selected is None or size > MAX_FILE_BYTES:
            reader.skip(padded)
            if selected is not None and is_file:
                yield selected, None
        else:
            content = reader.read(padded)
            if len(content) < padded:
                raise tarfile.ReadError('unexpected end of data')
            if is_file:
                yield selected, content[:size]
    for _ in chunks:
        pass  # the checksum is at the end


class _Reader:
    """Reads chunks of bytes in other sizes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._data = b''
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; fewer only at the end."""
        end = self._position + size
        if end > len(self._data):
            parts = [self._data[self._position :]]
            missing = end - len(self._data)
            while missing > 0 and (chunk := next(self._chunks, b'')):
                parts.append(chunk)
                missing -= len(chunk)
            self._data = b''.join(parts)
            self._position, end = 0, size
        part = self._data[self._position : end]
        self._position += len(part)
        return part

    def skip(self, size: int) -> None:
        self._position += size
        while self._position > len(self._data):
            self._position -= len(self._data)
            self._data = next(self._chunks, b'')
            if not self._data:
                raise tarfile.ReadError('unexpected end of data')


def _unpack(stream: io.BufferedReader) -> Iterator[bytes]:
    magic = stream.peek(6)[:6]
    if magic[:2] == b'\x1f\x8b':
        return gunzip(stream)
    if magic[:3] == b'BZh':
        return bunzip2(stream)
    if magic == b'\xfd7zXZ\0':
        return unxz(stream)
    return iter(lambda: stream.read(CHUNK_BYTES), b'')
