"""Divides the files of a source into batches, each of which a worker reads in one go.

A worker reads and writes a batch in some ten seconds. A distributed runner assigns
and retries whole batches.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from components.readers.decompression import stream_of
from components.readers.formats import has_parts

# An IMDB folder has 50,000 files; a Beam element each would cost more than reading them. The
# paths of a batch, of 4,096 bytes at most, are one element.
_FILES_PER_BATCH = 500
_CHUNK_BYTES = 1 << 16


class SourceKind(str, enum.Enum):
    """How the files of a source are read."""

    IMDB_ARCHIVE = 'imdb_archive'
    IMDB_FOLDER = 'imdb_folder'
    TABLES = 'tables'


class ByteRange(NamedTuple):
    """The lines of a file that begin in a range of its bytes.

    Attributes:
        start: First byte of the range.
        end: First byte after the range.
        file_bytes: Size of the file when the range was chosen.
    """

    start: int
    end: int
    file_bytes: int


class Batch(NamedTuple):
    """Files that are read one after the other, and the split that they are for.

    Attributes:
        split: None if the rows or a hash decide it.
        paths: The files; a single one if `part` is set.
        part: The part of the file to read; None for whole files.
    """

    split: str | None
    paths: list[str]
    part: ByteRange | None = None

    @property
    def sort_key(self) -> tuple[str, int]:
        """The place of the batch in the order of the data."""
        return self.paths[0], self.part.start if self.part else 0


def make_batches(
    kind: SourceKind,
    split: str | None,
    files: Iterable[tuple[str, int]],
    batch_bytes: int,
    encoding: str = 'utf-8',
) -> Iterator[Batch]:
    """Divide the files of a source into batches of at most 500 files.

    Large JSON Lines files that are not compressed are read in parts. CSV files are not:
    quoted cells may hold line breaks, so only a reader that starts at the beginning
    knows where a row begins. A compressed file or an archive is one stream.

    >>> files = [('a.csv', 40), ('b.jsonl', 150)]
    >>> for batch in make_batches(SourceKind.TABLES, None, files, 100):
    ...     print(batch.paths, batch.part)
    ['a.csv'] None
    ['b.jsonl'] ByteRange(start=0, end=100, file_bytes=150)
    ['b.jsonl'] ByteRange(start=100, end=150, file_bytes=150)

    Args:
        kind: How the files are read.
        split: The split of all of them, None if the rows or a hash decide it.
        files: Their paths and sizes in bytes, sorted.
        batch_bytes: Largest size of a batch, except for files without parts.
        encoding: Encoding of the files.
    """
    paths: list[str] = []
    total = 0
    for path, size in files:
        reviews = kind is SourceKind.IMDB_FOLDER
        too_large = not reviews and total + size > batch_bytes
        if paths and (too_large or len(paths) >= _FILES_PER_BATCH):
            yield Batch(split, paths)
            paths, total = [], 0
        if not reviews and size > batch_bytes and has_parts(path, encoding):
            for start in range(0, size, batch_bytes):
                end = min(start + batch_bytes, size)
                yield Batch(split, [path], ByteRange(start, end, size))
        else:
            paths.append(path)
            total += size
    if paths:
        yield Batch(split, paths)


def open_part(file: BinaryIO, part: ByteRange) -> tuple[BinaryIO, int]:
    r"""Return the lines that begin in a part of a file, and the byte where the first one begins.

    >>> import io
    >>> lines, start = open_part(io.BytesIO(b'one\ntwo\nthree\n'), ByteRange(2, 6, 14))
    >>> lines.read(), start
    (b'two\n', 4)

    Each line of the file, which must be seekable, is in one of its parts.
    """
    end = _find_line_start(file, part.end) if part.end < part.file_bytes else part.file_bytes
    start = _find_line_start(file, part.start)
    file.seek(start)
    return stream_of(_read_chunks(file, end - start)), start


def _find_line_start(file: BinaryIO, at: int) -> int:
    """Return where the first line begins that begins at byte `at` or later."""
    if at == 0:
        return 0
    position = at - 1  # if that is a line break, a line begins at `at`
    file.seek(position)
    while chunk := file.read(_CHUNK_BYTES):
        found = chunk.find(b'\n')
        if found >= 0:
            return position + found + 1
        position += len(chunk)
    return position


def _read_chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := file.read(min(_CHUNK_BYTES, size))):
        size -= len(chunk)
        yield chunk
