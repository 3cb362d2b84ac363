"""The origins of examples: file and line of the row that an example was made from.

The examples do not carry them. Beside each file of a labelled split, `report/` has a gzipped file
with one line for each example, in the same order. It is not in the folder of the split, because
TFX reads each file there.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import NamedTuple

from components.common.errors import ComponentError
from components.common.storage import storage_of
from components.example_gen.artifact_files import origin_files

_GZIP_BITS = 31
_LINES_AT_ONCE = 1_000


class Origin(NamedTuple):
    """Where an example comes from.

    Attributes:
        file: The file, relative to the folder of the data; that in an archive for IMDB. Empty if
            it is not known.
        line: Number of its row: the first line of the row in CSV and JSON Lines, the row or record
            in other formats, counted from 1; None if the file is a single text.
    """

    file: str
    line: int | None


class OriginBuffer:
    """Collects the origins of a shard, compressed.

    Example:
        buffer = OriginBuffer()
        buffer.add('reviews.csv:2')
        content = buffer.content()
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._parts: list[bytes] = []
        # Higher levels save nothing that counts, and take several times as long.
        self._gzip = zlib.compressobj(1, wbits=_GZIP_BITS)

    def add(self, origin: str) -> None:
        self._lines.append(origin)
        if len(self._lines) >= _LINES_AT_ONCE:
            self._compress()

    def _compress(self) -> None:
        text = '\n'.join(self._lines)
        if text.count('\n') >= len(self._lines):  # the name of a file has a line break
            text = '\n'.join(line.replace('\n', ' ') for line in self._lines)
        # Names of files may be in any encoding.
        self._parts.append(self._gzip.compress(f'{text}\n'.encode('utf-8', 'surrogateescape')))
        self._lines = []

    def content(self) -> bytes:
        """Return the content of the file; nothing can be added afterwards."""
        if self._lines:
            self._compress()
        return b''.join([*self._parts, self._gzip.flush()])


def find_origins(examples_uri: str, split: str, rows: Collection[int]) -> dict[int, Origin]:
    """Find the origins of some examples of a split.

    Args:
        examples_uri: The Examples artifact.
        split: A split with labels.
        rows: Positions of examples in the files of the split, which are in the order of their
            names; from 0.

    Returns:
        The origins by row. If another ExampleGen, or an older version, wrote the artifact, the
        file is empty, and the line is the position, from 1.

    Raises:
        ComponentError: If the artifact has fewer origins than examples.
    """
    files = origin_files(examples_uri, split)
    if not files:
        return {row: Origin('', row + 1) for row in rows}
    found: dict[int, Origin] = {}
    wanted = sorted(set(rows))
    start = taken = 0
    for path in files:
        if taken == len(wanted):
            break
        with storage_of(path).GFile(path, 'rb') as file:
            lines = zlib.decompress(file.read(), _GZIP_BITS).split(b'\n')[:-1]
        while taken < len(wanted) and wanted[taken] < start + len(lines):
            found[wanted[taken]] = parse_origin(lines[wanted[taken] - start])
            taken += 1
        start += len(lines)
    if taken < len(wanted):
        raise ComponentError(
            f'expected the origin of example {wanted[-1] + 1:,} of {split} in {examples_uri}, '
            f'found {start:,} origins',
            hint='files were changed after they were written: run with another --root',
        )
    return found


def parse_origin(line: bytes) -> Origin:
    """Parse a line of a file of origins.

    >>> parse_origin(b'reviews.csv:17'), parse_origin(b'aclImdb/test/pos/0_9.txt')
    (Origin(file='reviews.csv', line=17), Origin(file='aclImdb/test/pos/0_9.txt', line=None))
    """
    text = line.decode('utf-8', errors='replace')
    file, colon, number = text.rpartition(':')
    return Origin(file, int(number)) if colon and number.isdecimal() else Origin(text, None)
