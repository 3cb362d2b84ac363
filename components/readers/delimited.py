"""Reads CSV and TSV files (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import lines as line_limits
from components.readers.lines import open_lines
from components.readers.records import Reject
from components.readers.tables import Row, Table


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings, *, delimiter: str) -> Table:
    r"""Open a file with a header line; quoted cells may hold delimiters and line breaks.

    >>> import io
    >>> file = io.BytesIO(b'text,label\r\n"a, b",pos\r\n')
    >>> table = open_table(file, 'a.csv', ColumnSettings(), delimiter=',')
    >>> table.columns, next(table.rows)
    (['text', 'label'], Row(where='a.csv:2', raw='"a, b",pos', cells=['a, b', 'pos']))

    Raises:
        DataError: If a row is too long or its quotes do not match; also while
            the rows are read.
    """
    lines, mark = open_lines(stream, name)
    rows = _split_rows(lines, name, delimiter)
    _, raw, names = next(rows, ('', '', []))
    header = raw.rstrip('\r\n')
    newline = raw[len(header) :] or '\n'
    return Table(names, _read_rows(rows, len(names)), header, mark, newline)


def _read_rows(rows: Iterable[tuple[str, str, list[str]]], width: int) -> Iterator[Row | Reject]:
    for where, raw, cells in rows:
        if len(cells) == width:
            yield Row(where, raw.rstrip('\r\n'), cells)
        elif cells:  # a blank line has none
            yield Reject(f'not {width} fields', where)


def _split_rows(
    lines: Iterable[str], name: str, delimiter: str
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the location of each row, its text, and its cells."""
    # A row may have millions of lines, each of which would take some 60 bytes more in a list.
    raw = io.StringIO()

    def read_lines() -> Iterator[str]:
        for line in lines:
            if raw.tell() + len(line) > line_limits.MAX_ROW_CHARACTERS:
                limit = f'{line_limits.MAX_ROW_CHARACTERS:,}'
                raise csv.Error(f'the row is longer than {limit} characters')
            raw.write(line)
            # csv of some Python versions stops at a NUL; as a surrogate it costs only its row.
            yield line.replace('\0', '\udc80')

    csv.field_size_limit(line_limits.MAX_ROW_CHARACTERS)
    reader = csv.reader(read_lines(), delimiter=delimiter, strict=True)
    while True:
        where = f'{name}:{reader.line_num + 1}'
        try:
            cells = next(reader, None)
        except csv.Error as err:
            raise DataError(
                f'{where}: {err}', hint='check the quotes of the row that starts there'
            ) from err
        if cells is None:
            return
        yield where, raw.getvalue(), cells
        raw = io.StringIO()
