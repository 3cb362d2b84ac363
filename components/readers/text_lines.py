"""Reads text files as tables of one column: a text in each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common.settings import ColumnSettings
from components.readers.lines import number_lines, open_lines
from components.readers.records import TOO_LONG, Reject
from components.readers.tables import Row, Table

COLUMN = 'text'


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    r"""Open a file; spaces at the ends of a line are no part of its text.

    >>> import io
    >>> file = io.BytesIO(b'One.\n\n Two. \n')
    >>> [row.cells for row in open_table(file, 'a.txt', ColumnSettings()).rows]
    [['One.'], ['Two.']]
    """
    lines, mark = open_lines(stream, name)
    return Table([COLUMN], _read_rows(lines, name), byte_order_mark=mark)


def _read_rows(lines: Iterable[str], name: str) -> Iterator[Row | Reject]:
    for where, line in number_lines(lines, name):
        if line is None:
            yield Reject(TOO_LONG, where)
        else:
            yield Row(where, line.strip(), [line.strip()])
