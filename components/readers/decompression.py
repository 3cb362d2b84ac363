"""Decompresses gzip, bzip2 and xz in bounded memory, and refuses decompression bombs."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

CHUNK_BYTES = 1 << 18

# Texts decompress to three or four times their size. Tables of equal rows decompress to 200 times
# and more, which does no harm below 1 GiB. But 10 GB of one letter fit into 10 MB.
_FREE_BYTES = 1 << 30
_MAX_RATIO = 200
# xz may ask for 4 GiB before it has decompressed anything; its highest level needs 65 MiB.
_XZ_MEMORY_BYTES = 1 << 28
_GZIP_MAGIC = b'\x1f\x8b'


class DecompressionError(OSError):
    """A file decompresses to so much more than its size that it must be meant to do harm."""


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

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)


_DECOMPRESSORS: dict[bytes, Callable[[], Any]] = {
    _GZIP_MAGIC: _GzipDecompressor,
    b'BZh': bz2.BZ2Decompressor,
    b'\xfd7zXZ\0': functools.partial(lzma.LZMADecompressor, memlimit=_XZ_MEMORY_BYTES),
}


def decompress(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed if its first bytes are those of gzip, bzip2 or xz.

    Args:
        stream: The bytes of the file.

    Yields:
        Chunks that are not empty, of at most 1 MiB.

    Raises:
        OSError, ValueError, zlib.error, lzma.LZMAError, EOFError: If the file is
            damaged or cut off, checksums included, or if xz needs 256 MiB.
        DecompressionError: If more than 1 GiB comes out, and 200 times what went in.
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), CHUNK_BYTES)
    head = buffered.peek(6)
    for magic, make_decompressor in _DECOMPRESSORS.items():
        if head.startswith(magic):
            return _decompress(buffered, make_decompressor)
    return iter(lambda: buffered.read(CHUNK_BYTES), b'')


def gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """Decompress all members of a gzip file as `decompress` does; an empty one is an empty file.

    >>> b''.join(gunzip(io.BytesIO(gzip.compress(b'one') + gzip.compress(b'two'))))
    b'onetwo'

    Raises:
        gzip.BadGzipFile: If the file is not gzip.
    """
    return _decompress(stream, _GzipDecompressor, _GZIP_MAGIC)


def require_ratio(compressed: int, decompressed: int) -> None:
    """Check how many bytes came out of how many.

    Raises:
        DecompressionError: If more than 1 GiB came out, and 200 times what went in.
    """
    if decompressed > _FREE_BYTES and decompressed > _MAX_RATIO * compressed:
        raise DecompressionError(
            f'it decompresses to more than {_MAX_RATIO} times its size, and to more than 1 GiB'
        )


def stream_of(chunks: Iterator[bytes]) -> io.BufferedReader:
    """Return a file of these chunks, none of which is empty."""
    return io.BufferedReader(_ChunkStream(chunks), 1 << 16)


class _ChunkStream(io.RawIOBase):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b'')

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._rest = self._rest or memoryview(next(self._chunks, b''))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _decompress(
    stream: BinaryIO, make_decompressor: Callable[[], Any], magic: bytes = b''
) -> Iterator[bytes]:
    data = stream.read(CHUNK_BYTES)
    if data and not data.startswith(magic):
        raise gzip.BadGzipFile(f'Not a gzipped file ({data[:2]!r})')
    compressed, decompressed = len(data), 0
    while data:
        decompressor = make_decompressor()
        while not decompressor.eof:
            if decompressor.needs_input and not data:
                data = stream.read(CHUNK_BYTES)
                compressed += len(data)
                if not data:
                    raise EOFError('the compressed stream has no end')
            chunk = decompressor.decompress(data, 4 * CHUNK_BYTES)
            data = b''
            decompressed += len(chunk)
            require_ratio(compressed, decompressed)
            # An empty chunk would be taken for the end.
            if chunk:
                yield chunk
        # Zeros may follow a member, or another member.
        data = decompressor.unused_data.lstrip(b'\0')
        while not data and (chunk := stream.read(CHUNK_BYTES)):
            compressed += len(chunk)
            data = chunk.lstrip(b'\0')
