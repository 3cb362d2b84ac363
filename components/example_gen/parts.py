"""Which files, and which parts of them, a worker reads in one go.

A part is what a worker reads and writes in some ten seconds: it is the unit in
which a distributed runner shares out the work, and tries it again.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from components.example_gen.source_kind import SourceKind
from components.readers.tables import table_format

# An IMDB folder has 50,000 files; a Beam element each would cost more than reading them.
_REVIEWS_PER_BATCH = 500
_CHUNK_BYTES = 1 << 16


class ByteRange(NamedTuple):
    """The lines of a file that begin in a range of its bytes.

    Attributes:
        start: First byte of the range.
        end: The byte behind it.
        file_bytes: Size of the file when the range was chosen.
    """

    start: int
    end: int
    file_bytes: int


class Batch(NamedTuple):
    """Files that are read one after the other, and the split that they are for.

    Attributes:
        split: None where the rows say their split, or a hash does.
        paths: Of the files; of one, if only a part of it is read.
        part: Which part of the file; None for all of them.
    """

    split: str | None
    paths: list[str]
    part: ByteRange | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What batches are sorted by."""
        return self.paths[0], self.part.start if self.part else 0


def batches_of(
    kind: SourceKind, split: str | None, files: Iterable[tuple[str, int]], part_bytes: int
) -> Iterator[Batch]:
    """Share out the files of a source.

    JSON Lines that are not packed are read in parts, each line of which stands
    for itself. Where a row of CSV begins, within a file, only who has read it
    from its beginning knows, as quoted cells have line breaks in them; and a
    packed file, or an archive, is one stream.

    Args:
        kind: How the files are read.
        split: That all of them are for.
        files: Their paths and sizes, in bytes; sorted.
        part_bytes: What a batch has at most, unless it is a file that cannot be
            parted, or reviews, which are small.
    """
    paths: list[str] = []
    total = 0
    for path, size in files:
        reviews = kind is SourceKind.IMDB_FOLDER
        full = len(paths) >= _REVIEWS_PER_BATCH if reviews else total + size > part_bytes
        if paths and full:
            yield Batch(split, paths)
            paths, total = [], 0
        if not reviews and size > part_bytes and _can_be_parted(path):
            for start in range(0, size, part_bytes):
                end = min(start + part_bytes, size)
                yield Batch(split, [path], ByteRange(start, end, size))
        else:
            paths.append(path)
            total += size
    if paths:
        yield Batch(split, paths)


def _can_be_parted(path: str) -> bool:
    name = path.lower()
    return not name.endswith('.gz') and table_format(name) == 'jsonl'


def lines_of(file: BinaryIO, part: ByteRange) -> tuple[BinaryIO, int]:
    """Return the lines that begin in a part of a file, and the byte where the first one begins.

    Args:
        file: Can be sought in.
        part: Which; the parts of a file have each of its lines once.
    """
    end = _line_start(file, part.end) if part.end < part.file_bytes else part.file_bytes
    start = _line_start(file, part.start)
    file.seek(start)
    return io.BufferedReader(_Bounded(file, end - start), _CHUNK_BYTES), start


def _line_start(file: BinaryIO, at: int) -> int:
    """Return where the first line begins that begins at byte `at` or later."""
    if at == 0:
        return 0
    position = at - 1  # if that is a line break, a line begins just at `at`
    file.seek(position)
    while chunk := file.read(_CHUNK_BYTES):
        found = chunk.find(b'\n')
        if found >= 0:
            return position + found + 1
        position += len(chunk)
    return position


class _Bounded(io.RawIOBase):
    """The next bytes of a file, and no more."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = max(0, size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)
