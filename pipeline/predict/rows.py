"""Reads what is to be scored, row by row, and keeps each row as it stands in the file."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from components.common.errors import DataError
from components.readers import tables
from components.readers.lines import TOO_LONG, open_text, pieces, readable, whole_lines

# A part of a character, or a byte that is not UTF-8: no model reads it.
_SURROGATE = re.compile('[\ud800-\udfff]')
_TEXT_FLAG = '--text-column'


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        where: File and line, for a message.
        raw: The row as it stands in the file, without its line break.
        cells: The values of a CSV row in the order of the columns, or those of
            a JSON object by name.
        text: What to score; None if the row has no text, or a blank one.
    """

    where: str
    raw: str
    cells: list[str] | dict[str, Any]
    text: str | None


class Table(NamedTuple):
    """A file, opened.

    Attributes:
        format: `csv`, `tsv`, `jsonl`, or `txt`: a text in each line.
        columns: Names of the columns; of JSON Lines, those of its first object.
        header: The header line as it stands in the file, without its line
            break; empty where there is none.
        mark: The byte order mark, if the file begins with one.
        newline: What ends the rows.
        rows: All rows.
    """

    format: str
    columns: list[str]
    header: str
    mark: str
    newline: str
    rows: Iterator[Row]


def open_table(stream: BinaryIO, name: str, text_column: str) -> Table:
    """Open a table, or a file with a text in each line.

    Memory is bounded by the longest row. Blank lines are no rows.

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name, which says the format.
        text_column: Name of the column with the text.

    Raises:
        DataError: If a CSV or TSV file lacks the column, or cannot be read.
            The rows raise it, too: where one is malformed, and at the end of a
            file that is incomplete.
    """
    with readable(name):
        lines, mark = _decoded(stream, name)
        kind = tables.table_format(name)
        if kind is None:
            return Table('txt', ['text'], '', mark, '\n', _guarded(_txt_rows(lines, name), name))
        if kind == 'jsonl':
            return _open_jsonl(lines, mark, name, text_column)
        return _open_csv(lines, mark, name, text_column, kind)


def clean(text: str) -> str:
    """Put a mark in place of what is not Unicode."""
    return _SURROGATE.sub('\ufffd', text)


def _guarded(rows: Iterator[Row], name: str) -> Iterator[Row]:
    with readable(name):
        yield from rows


def _decoded(stream: BinaryIO, name: str) -> tuple[Iterator[str], str]:
    """Return the lines of a file, each with its line break, and its byte order mark."""
    lines = pieces(open_text(stream, name, keep_mark=True))
    first = next(lines, '')
    mark = '\ufeff' if first.startswith('\ufeff') else ''
    return itertools.chain([first.removeprefix(mark)] if first else [], lines), mark


def _numbered(lines: Iterable[str], name: str) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, stripped, after where it is."""
    for number, line in enumerate(whole_lines(lines), start=1):
        where = f'{name}:{number}'
        if line is None:
            raise DataError(
                f'{where}: the row is {TOO_LONG}', hint='shorten it, or leave it out of the file'
            )
        if stripped := line.strip():
            yield where, stripped


def _txt_rows(lines: Iterable[str], name: str) -> Iterator[Row]:
    for where, line in _numbered(lines, name):
        text = clean(line)
        yield Row(where, text, [text], text)


class _Kept:
    """Hands lines on to csv, and keeps those of the row that it is reading."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.lines: list[str] = []

    def __iter__(self) -> _Kept:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.lines.append(line)
        return line

    def take(self) -> tuple[str, str]:
        """Return the row without its line break, and the line break."""
        raw = ''.join(self.lines)
        self.lines.clear()
        bare = raw.rstrip('\r\n') if raw.endswith(('\r', '\n')) else raw
        return bare, raw[len(bare) :]


def _open_csv(lines: Iterable[str], mark: str, name: str, text_column: str, kind: str) -> Table:
    kept = _Kept(lines)
    found = tables.csv_rows(kept, name)
    columns = found.header
    header, newline = kept.take()
    tables.require_column(columns, name, text_column, _TEXT_FLAG)
    place = columns.index(text_column)

    def rows() -> Iterator[Row]:
        for where, cells in found:
            raw, _ = kept.take()
            if not cells:
                continue
            if len(cells) != len(columns):
                raise DataError(
                    f'{where}: expected {len(columns)} fields as in the header, got {len(cells)}',
                    hint='check the quotes of the row, or repair it',
                )
            text = cells[place]
            yield Row(where, raw, cells, clean(text) if text.strip() else None)

    return Table(kind, columns, header, mark, newline or '\n', _guarded(rows(), name))


def _open_jsonl(lines: Iterable[str], mark: str, name: str, text_column: str) -> Table:
    rows = _guarded(_jsonl_rows(lines, name, text_column), name)
    first = next(rows, None)
    columns = list(first.cells) if first else []

    def all_rows() -> Iterator[Row]:
        if first is not None:
            yield first
            yield from rows

    return Table('jsonl', columns, '', mark, '\n', all_rows())


def _jsonl_rows(lines: Iterable[str], name: str, text_column: str) -> Iterator[Row]:
    for where, raw in _numbered(lines, name):
        try:
            cells = json.loads(raw)
        except (ValueError, RecursionError) as err:
            raise DataError(
                f'{where}: expected a JSON object, got what is not JSON: {err}',
                hint='repair the line',
            ) from err
        if not isinstance(cells, dict):
            raise DataError(
                f'{where}: expected a JSON object, got {type(cells).__name__}',
                hint='each line must hold an object',
            )
        text = cells.get(text_column)
        if not isinstance(text, str | None):
            raise DataError(
                f'{where}: expected a text in {text_column!r}, got {type(text).__name__}',
                hint=f'say {_TEXT_FLAG} NAME',
            )
        yield Row(where, raw, cells, clean(text) if text and text.strip() else None)

