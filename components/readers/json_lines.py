"""Reads JSON Lines: an object in each line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common.settings import ColumnSettings
from components.readers.lines import number_lines, open_lines, split_lines
from components.readers.records import NOT_AN_OBJECT, NOT_JSON, TOO_LONG, Reject
from components.readers.tables import Row, Table


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    r"""Open a file; its columns are those of its first row, none if that is rejected.

    >>> import io
    >>> file = io.BytesIO(b'{"text": "Fine.", "label": 1}\n')
    >>> table = open_table(file, 'a.jsonl', ColumnSettings())
    >>> table.columns, next(table.rows).cells
    (['text', 'label'], {'text': 'Fine.', 'label': 1})
    """
    lines, mark = open_lines(stream, name, columns.encoding)
    rows = read_rows(lines, name)
    first = list(itertools.islice(rows, 1))
    names = [column for row in first if isinstance(row, Row) for column in row.cells]
    all_rows = itertools.chain(first, rows)
    return Table(names, all_rows, byte_order_mark=mark, same_columns=False)


def open_part(stream: BinaryIO, name: str, columns: ColumnSettings) -> Iterator[Row | Reject]:
    """Read the rows of a part of a file that begins where a line does."""
    return read_rows(split_lines(stream, columns.encoding), name)


def read_rows(lines: Iterable[str], name: str) -> Iterator[Row | Reject]:
    for where, line in number_lines(lines, name):
        if line is None:
            yield Reject(TOO_LONG, where)
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError):
            yield Reject(NOT_JSON, where)
            continue
        if isinstance(cells, dict):
            yield Row(where, line.strip(), cells)
        else:
            yield Reject(NOT_AN_OBJECT, where)
