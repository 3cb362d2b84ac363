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
from components.readers.dialect import Dialect, Layout, read_layout
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
    for where, raw, cells, taken in _split_rows(lines, name, dialect, layout.lines):
        if counted and cells:
            counted -= 1
        elif tally is not None and cells:
            tally.add_text(raw, dialect, width, lines=taken, fields=len(cells))
            if not tally.is_quoted:
                raise tally.doubt(name)
        if len(cells) == width:
            yield Row(where, raw.rstrip('\r\n'), cells)
        elif cells:  # a blank line has none
            yield Reject(f'not {width} fields', where)


def _split_rows(
    lines: Iterable[str], name: str, dialect: Dialect, before: int
) -> Iterator[tuple[str, str, list[str], int]]:
    """Yield the location of each row, its text, its cells, and its number of lines."""
    # A row may have millions of lines, each of which would take some 60 bytes more in a list.
    raw = io.StringIO()
    number = before

    def read_lines() -> Iterator[str]:
        nonlocal number
        for line in lines:
            if raw.tell() + len(line) > line_limits.MAX_ROW_CHARACTERS:
                limit = f'{line_limits.MAX_ROW_CHARACTERS:,}'
                raise csv.Error(f'the row is longer than {limit} characters')
            raw.write(line)
            number += 1
            yield line

    reader = dialect.read(read_lines())
    while True:
        first = number + 1
        where = f'{name}:{first}'
        try:
            cells = next(reader, None)
        except csv.Error as err:
            raise _quotes_error(where, err) from err
        if cells is None:
            return
        yield where, raw.getvalue(), cells, number + 1 - first
        raw = io.StringIO()
