"""Reads CSV and TSV files (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common.errors import DataError
from components.readers import lines as line_limits
from components.readers.lines import open_lines
from components.readers.records import Reject
from components.readers.tables import Row, Table

# A row may have millions of lines, each of which takes some 60 bytes more than its characters.
_LINES_PER_CHUNK = 10_000


def open_table(stream: BinaryIO, name: str, *, delimiter: str) -> Table:
    r"""Open a file with a header line; quoted cells may hold delimiters and line breaks.

    >>> import io
    >>> table = open_table(io.BytesIO(b'text,label\r\n"a, b",pos\r\n'), 'a.csv', delimiter=',')
    >>> table.columns, next(table.rows)
    (['text', 'label'], Row(where='a.csv:2', raw='"a, b",pos', cells=['a, b', 'pos']))

    Raises:
        DataError: If a row is too long or its quotes do not match; also while
            the rows are read.
    """
    lines, mark = open_lines(stream, name)
    reader = _RowReader(lines, name, delimiter)
    _, raw, columns = next(reader, ('', '', []))
    header = raw.rstrip('\r\n')
    newline = raw[len(header) :] or '\n'
    return Table(columns, _read_rows(reader, len(columns)), header, mark, newline)


def _read_rows(reader: _RowReader, width: int) -> Iterator[Row | Reject]:
    for where, raw, cells in reader:
        if len(cells) == width:
            yield Row(where, raw.rstrip('\r\n'), cells)
        elif cells:  # a blank line has none
            yield Reject(f'not {width} fields', where)


class _RowReader:
    """Yields the location of each row, its text, and its cells."""

    def __init__(self, lines: Iterable[str], name: str, delimiter: str) -> None:
        self._name = name
        self._lines: list[str] = []  # of the current row
        self._chunks: list[str] = []  # the lines before them
        self._characters = 0
        csv.field_size_limit(line_limits.MAX_ROW_CHARACTERS)
        self._reader = csv.reader(self._bounded(lines), delimiter=delimiter, strict=True)

    def __iter__(self) -> _RowReader:
        return self

    def __next__(self) -> tuple[str, str, list[str]]:
        self._lines.clear()
        self._chunks.clear()
        self._characters = 0
        where = f'{self._name}:{self._reader.line_num + 1}'
        try:
            cells = next(self._reader)
        except csv.Error as err:
            raise DataError(
                f'{where}: {err}', hint='check the quotes of the row that starts there'
            ) from err
        return where, ''.join(self._chunks + self._lines), cells

    def _bounded(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._lines.append(line)
            if len(self._lines) == _LINES_PER_CHUNK:
                self._chunks.append(''.join(self._lines))
                self._lines.clear()
            self._characters += len(line)
            if self._characters > line_limits.MAX_ROW_CHARACTERS:
                limit = f'{line_limits.MAX_ROW_CHARACTERS:,}'
                raise csv.Error(f'the row is longer than {limit} characters')
            # csv of some Python versions stops at a NUL; as a surrogate it costs only its row.
            yield line.replace('\0', '\udc80')
