"""Unpacks gzip, bzip2 and xz in bounded memory, and refuses what is packed to do harm."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 18

# Texts are packed to a third of their size, IMDB to a quarter, tables of equal rows to 1/200 and
# less: these only grow too large when there is much of them. 10 GB of one letter fit into 10 MB.
_FREE_BYTES = 1 << 30
_MAX_RATIO = 200
# xz may ask for 4 GiB before it has unpacked anything; its highest level needs 65 MiB.
_XZ_MEMORY_BYTES = 1 << 28


class UnpackingError(OSError):
    """A file unpacks to so much more than it is that it must be meant to do harm."""


def gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack all members of a gzip file, in chunks larger than Python's own.

    Args:
        stream: The packed bytes. Empty, it is a file of nothing.

    Yields:
        Chunks that are not empty, of at most 1 MiB.

    Raises:
        gzip.BadGzipFile, zlib.error, EOFError: If the file is no gzip, damaged
            or cut off, checksums included.
        UnpackingError: If more than 1 GiB comes out, and 200 times what went in.
    """
    data = stream.read(CHUNK_BYTES)
    if data and data[:2] != b'\x1f\x8b':
        raise gzip.BadGzipFile(f'Not a gzipped file ({data[:2]!r})')
    packed, unpacked = len(data), 0
    while data:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not inflater.eof:
            if not data:
                data = stream.read(CHUNK_BYTES)
                packed += len(data)
                if not data:
                    raise EOFError('the gzip stream has no end')
            # An empty chunk would be taken for the end.
            if chunk := inflater.decompress(data, 4 * CHUNK_BYTES):
                unpacked += len(chunk)
                _require_plausible(unpacked, packed)
                yield chunk
            data = inflater.unconsumed_tail
        # Zeros may follow a member, or another member.
        data = inflater.unused_data.lstrip(b'\0')
        while not data and (chunk := stream.read(CHUNK_BYTES)):
            packed += len(chunk)
            data = chunk.lstrip(b'\0')


def bunzip2(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack bzip2, as `gunzip` does; a damaged file raises OSError or ValueError."""
    return _unpack(stream, bz2.BZ2Decompressor)


def unxz(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack xz, as `gunzip` does; a damaged file, and one that needs 256 MiB, an LZMAError."""
    return _unpack(stream, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES))


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def _unpack(stream: BinaryIO, make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    data = stream.read(CHUNK_BYTES)
    packed, unpacked = len(data), 0
    while data:
        decompressor = make()
        while not decompressor.eof:
            if decompressor.needs_input and not data:
                data = stream.read(CHUNK_BYTES)
                packed += len(data)
                if not data:
                    raise EOFError('the packed stream has no end')
            chunk = decompressor.decompress(data, 4 * CHUNK_BYTES)
            data = b''
            if chunk:
                unpacked += len(chunk)
                _require_plausible(unpacked, packed)
                yield chunk
        data = decompressor.unused_data.lstrip(b'\0')
        while not data and (chunk := stream.read(CHUNK_BYTES)):
            packed += len(chunk)
            data = chunk.lstrip(b'\0')


def _require_plausible(unpacked: int, packed: int) -> None:
    if unpacked > _FREE_BYTES and unpacked > _MAX_RATIO * packed:
        raise UnpackingError(
            f'it unpacks to more than {_MAX_RATIO} times its size, and to more than 1 GiB'
        )
