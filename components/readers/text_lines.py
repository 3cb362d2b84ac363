"""Reads text files as tables of one column: a text in each line."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common.settings import ColumnSettings
from components.readers.lines import number_lines, open_lines
from components.readers.records import TOO_LONG, Reject
from components.readers.signatures import HEAD_BYTES, require_lines
from components.readers.tables import Row, Table

COLUMN = 'text'


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    r"""Open a file; spaces at the ends of a line are no part of its text.

    >>> import io
    >>> file = io.BytesIO(b'One.\n\n Two. \n')
    >>> [row.cells for row in open_table(file, 'a.txt', ColumnSettings()).rows]
    [['One.'], ['Two.']]

    Raises:
        DataError: If it is a JSON array, or not text; see `open_lines`.
    """
    lines, mark = open_lines(stream, name, columns.encoding)
    # A pretty-printed array has its bracket, a brace and a key in three lines.
    first = list(itertools.islice(lines, 3))
    require_lines(''.join(line[:HEAD_BYTES] for line in first), name)
    return Table([COLUMN], _read_rows(itertools.chain(first, lines), name), byte_order_mark=mark)


def _read_rows(lines: Iterable[str], name: str) -> Iterator[Row | Reject]:
    for where, line in number_lines(lines, name):
        if line is None:
            yield Reject(TOO_LONG, where)
        else:
            yield Row(where, line.strip(), [line.strip()])
