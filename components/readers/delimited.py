"""Reads CSV and TSV files: RFC 4180, files without quoting, and files with backslash escapes."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import lines as line_limits
from components.readers.dialect import Dialect, Layout, read_layout, split_rows
from components.readers.lines import open_lines
from components.readers.quoting import Tally, find_dialect
from components.readers.records import Reject
from components.readers.tables import Row, Table


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings, *, delimiter: str) -> Table:
    r"""Open a file; quoted cells may hold delimiters and line breaks.

    >>> import io
    >>> file = io.BytesIO(b'text,label\r\n"a, b",pos\r\n')
    >>> table = open_table(file, 'a.csv', ColumnSettings(), delimiter=',')
    >>> table.columns, next(table.rows)
    (['text', 'label'], Row(where='a.csv:2', raw='"a, b",pos', cells=['a, b', 'pos']))

    Whether quotes enclose fields is found out when the first row is read. In doubt, the
    whole file is read for that; a pipe goes through a temporary file.

    Raises:
        DataError: If a row is too long, its quotes do not match, or it is not clear
            what quotes mean; also while the rows are read.
    """
    csv.field_size_limit(line_limits.MAX_ROW_CHARACTERS)
    if columns.quoting == 'auto' and not stream.seekable():
        stream = _spool(stream)
    start = stream.tell() if columns.quoting == 'auto' else 0
    lines, mark = _open_lines(stream, name, columns.encoding)
    try:
        layout = read_layout(lines, columns, delimiter)
    except csv.Error as err:
        raise _quotes_error(f'{name}:1', err) from err

    def read_again() -> Iterator[str]:
        stream.seek(start)
        again, _ = _open_lines(stream, name, columns.encoding)
        return itertools.islice(again, layout.lines, None)

    @functools.cache
    def find() -> tuple[Dialect, Tally | None]:
        if columns.quoting == 'auto':
            return find_dialect(read_again, layout.delimiter, len(layout.names), name)
        return Dialect(layout.delimiter, quoted=columns.quoting == 'minimal'), None

    def read_rows() -> Iterator[Row | Reject]:
        dialect, tally = find()
        rest = read_again() if columns.quoting == 'auto' else itertools.chain(layout.head, lines)
        yield from _read_rows(rest, name, dialect, layout, tally)

    return Table(
        layout.names,
        read_rows(),
        layout.header,
        mark,
        layout.newline,
        dialect=lambda: find()[0],
        has_header=columns.header,
    )


class _Unclosed(io.RawIOBase):
    """Reads a stream, and does not close it: text streams close what they read at its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _open_lines(stream: BinaryIO, name: str, encoding: str) -> tuple[Iterator[str], str]:
    return open_lines(io.BufferedReader(_Unclosed(stream), 1 << 17), name, encoding)


def _spool(stream: BinaryIO) -> BinaryIO:
    spool = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(stream, spool)
    spool.seek(0)
    return spool


def _quotes_error(where: str, err: csv.Error) -> DataError:
    return DataError(
        f'{where}: {err}',
        hint='check the quotes of the row that starts there; if quotes are text in this file, '
        'pass --quoting none',
    )


def _read_rows(
    lines: Iterable[str], name: str, dialect: Dialect, layout: Layout, tally: Tally | None
) -> Iterator[Row | Reject]:
    width = len(layout.names)
    counted = 0 if tally is None else tally.quoted_rows
    rows = split_rows(lines, dialect)
    number = layout.lines + 1
    while True:
        where = f'{name}:{number}'
        try:
            row = next(rows, None)
        except csv.Error as err:
            raise _quotes_error(where, err) from err
        if row is None:
            return
        number += row.lines
        if counted and row.cells:
            counted -= 1
        elif tally is not None and row.cells:
            tally.add_row(row.text, dialect, width, lines=row.lines, fields=len(row.cells))
            if not tally.is_quoted:
                raise tally.doubt(name)
        if len(row.cells) == width:
            yield Row(where, row.text.rstrip('\r\n'), row.cells)
        elif row.cells:  # a blank line has none
            yield Reject(f'not {width} fields', where)
