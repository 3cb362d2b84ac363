"""Unpacks gzip, bzip2 and xz in bounded memory, and refuses what is packed to do harm."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 18

# Texts unpack to three or four times their size. Tables of equal rows unpack to 200 times and more,
# which does no harm below 1 GiB. But 10 GB of one letter fit into 10 MB.
_FREE_BYTES = 1 << 30
_MAX_RATIO = 200
# xz may ask for 4 GiB before it has unpacked anything; its highest level needs 65 MiB.
_XZ_MEMORY_BYTES = 1 << 28


class UnpackingError(OSError):
    """A file unpacks to so much more than its size that it must be meant to do harm."""


def gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack all members of a gzip file, in chunks larger than those of Python's gzip.

    >>> import io
    >>> b''.join(gunzip(io.BytesIO(gzip.compress(b'one') + gzip.compress(b'two'))))
    b'onetwo'

    Args:
        stream: The packed bytes. An empty one is an empty file.

    Yields:
        Chunks that are not empty, of at most 1 MiB.

    Raises:
        gzip.BadGzipFile, zlib.error, EOFError: If the file is not gzip, damaged
            or cut off, checksums included.
        UnpackingError: If more than 1 GiB comes out, and 200 times what went in.
    """
    return _unpack(stream, _GzipDecompressor, b'\x1f\x8b')


def bunzip2(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack bzip2, as `gunzip` does; a damaged file raises OSError or ValueError."""
    return _unpack(stream, bz2.BZ2Decompressor)


def unxz(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack xz, as `gunzip` does; a damaged file, or one that needs 256 MiB, raises LZMAError."""
    return _unpack(stream, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES))


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _GzipDecompressor:
    """Gives zlib the interface of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)


def _unpack(
    stream: BinaryIO, make: Callable[[], _Decompressor], magic: bytes = b''
) -> Iterator[bytes]:
    data = stream.read(CHUNK_BYTES)
    if data and not data.startswith(magic):
        raise gzip.BadGzipFile(f'Not a gzipped file ({data[:2]!r})')
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
            # An empty chunk would be taken for the end.
            if chunk:
                unpacked += len(chunk)
                _require_plausible(unpacked, packed)
                yield chunk
        # Zeros may follow a member, or another member.
        data = decompressor.unused_data.lstrip(b'\0')
        while not data and (chunk := stream.read(CHUNK_BYTES)):
            packed += len(chunk)
            data = chunk.lstrip(b'\0')


def _require_plausible(unpacked: int, packed: int) -> None:
    if unpacked > _FREE_BYTES and unpacked > _MAX_RATIO * packed:
        raise UnpackingError(
            f'it unpacks to more than {_MAX_RATIO} times its size, and to more than 1 GiB'
        )
