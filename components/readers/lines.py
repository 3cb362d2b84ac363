"""Opens a table as text: unpacked, known to be UTF-8, in rows of bounded length."""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from components.common.errors import DataError
from components.readers.unpacking import gunzip

# 50,000 times the mean IMDB review. csv needs 4 bytes for each character of a field.
MAX_ROW_CHARACTERS = 64_000_000
TOO_LONG = f'longer than {MAX_ROW_CHARACTERS:,} characters'

_UTF16, _UTF32 = 'UTF-16', 'UTF-32'
# How files begin that are no text in UTF-8, whatever their name says.
_SIGNS = {
    b'\xff\xfe\0\0': _UTF32,
    b'\0\0\xfe\xff': _UTF32,
    b'\xff\xfe': _UTF16,
    b'\xfe\xff': _UTF16,
    b'\x1f\x8b': 'gzip',
    b'PK\x03\x04': 'a zip or Excel file',
}


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what a damaged file raises into a DataError that names it."""
    try:
        yield
    except (EOFError, OSError, zlib.error, csv.Error) as err:
        raise DataError(
            f'{name} cannot be read to its end: {err}',
            hint='check that the file is complete and its ending fits its format',
        ) from err


def open_text(stream: BinaryIO, name: str, *, keep_mark: bool = False) -> io.TextIOWrapper:
    """Open a file as text.

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name.
        keep_mark: Whether a byte order mark at the beginning is part of the text.

    Returns:
        Text with its line breaks as they are. Surrogates stand for bytes that
        are not UTF-8, so that only their row is lost.

    Raises:
        DataError: If the file begins as one in another encoding does, or as one
            that is packed.
        EOFError, OSError, zlib.error: If it cannot be unpacked.
    """
    if name.lower().endswith('.gz'):
        raw = cast(io.RawIOBase, _Chunks(gunzip(stream)))
        stream = io.BufferedReader(raw, 1 << 16)
    elif not hasattr(stream, 'peek'):
        stream = io.BufferedReader(cast(io.RawIOBase, stream))
    first = cast(io.BufferedReader, stream).peek(4)[:4]
    _require_utf8(first, name)
    # Not by the encoding utf-8-sig, which takes a file of half a mark for an empty one.
    if first.startswith(codecs.BOM_UTF8) and not keep_mark:
        stream.read(len(codecs.BOM_UTF8))
    return as_text(stream)


def as_text(stream: BinaryIO) -> io.TextIOWrapper:
    """Take bytes that are not packed for UTF-8, whatever they begin with; see `open_text`."""
    text = io.TextIOWrapper(stream, encoding='utf-8', errors='surrogateescape', newline='')
    # CPython's own; its 8 KiB would cost what the limit of a row does.
    text._CHUNK_SIZE = 1 << 17  # type: ignore[attr-defined]
    return text


def pieces(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text with their line breaks; one that is too long, in pieces."""
    return iter(functools.partial(text.readline, MAX_ROW_CHARACTERS + 1), '')


def whole_lines(lines: Iterable[str]) -> Iterator[str | None]:
    """Put None in place of each line that is longer than a row may be.

    Args:
        lines: As `pieces` yields them.
    """
    end = ''  # the last character of a line that is too long, as far as it was seen
    for line in lines:
        if end:
            ended = end in '\r\n'
            # One line break may be in two pieces.
            rest = not ended or (end == '\r' and line == '\n')
            end = '' if ended else line[-1]
            if rest:
                continue
        if len(line) <= MAX_ROW_CHARACTERS:
            yield line
        else:
            end = line[-1]
            yield None


class CsvRows:
    """The rows of a CSV or TSV file.

    Iterating yields, for each row, where it starts (`name:line`) and its cells;
    a blank line has none.

    Args:
        lines: Of the file, as `pieces` yields them.
        name: The file's name.
        delimiter: Between two cells.

    Attributes:
        header: The cells of the first row; empty if the file is.

    Raises:
        DataError: If a row is too long, or its quotes do not match; also while
            iterating.
    """

    def __init__(self, lines: Iterable[str], name: str, delimiter: str) -> None:
        self._name = name
        self._characters = 0
        csv.field_size_limit(MAX_ROW_CHARACTERS)
        self._reader = csv.reader(self._bounded(lines), delimiter=delimiter, strict=True)
        self._rows = self._read()
        self.header: list[str] = next(self._rows, ('', []))[1]

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        return self._rows

    def _read(self) -> Iterator[tuple[str, list[str]]]:
        while True:
            self._characters = 0
            where = f'{self._name}:{self._reader.line_num + 1}'
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as err:
                raise DataError(
                    f'{where}: {err}', hint='check the quotes of the row that starts there'
                ) from err
            yield where, row

    def _bounded(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._characters += len(line)
            if self._characters > MAX_ROW_CHARACTERS:
                raise csv.Error(f'the row is {TOO_LONG}')
            # Some Pythons' csv stops at a NUL byte; as a surrogate it costs only its row on all.
            yield line.replace('\0', '\udc80')


class _Chunks(io.RawIOBase):
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


def _require_utf8(head: bytes, name: str) -> None:
    found = next((what for sign, what in _SIGNS.items() if head.startswith(sign)), None)
    if found is None and len(head) == 4 and (not any(head[::2]) or not any(head[1::2])):
        # Every second byte is 0, as of Latin letters without a byte order mark.
        found = _UTF16 if any(head) else None
    if found is None:
        return
    if found in (_UTF16, _UTF32):
        hint = f'convert it: iconv -f {found} -t UTF-8'
    elif found == 'gzip':
        packed_twice = name.lower().endswith('.gz')
        hint = 'it is packed twice: unpack it once' if packed_twice else 'let its name end in .gz'
    else:
        hint = 'save the table as CSV'
    raise DataError(f'{name} is {found}, expected UTF-8 text', hint=hint)
