"""Reads .json files: an array of objects, an object with one such array, or an object in each line.

A file may have any size: its elements are parsed one after the other from a buffer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import json_lines
from components.readers.lines import MAX_ROW_CHARACTERS, open_lines
from components.readers.records import NOT_AN_OBJECT, Reject
from components.readers.tables import Row, Table

_CHUNK_CHARACTERS = 1 << 18
_SPACE = ' \t\r\n'
_SHOWN_KEYS = 5


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    r"""Open a file; its columns are those of its first row, none if that is rejected.

    >>> import io
    >>> file = io.BytesIO(b'[\n  {"text": "Fine.", "label": 1}\n]\n')
    >>> next(open_table(file, 'a.json', ColumnSettings()).rows).where
    'a.json:1'

    Raises:
        DataError: If it holds something else, or is cut off; its rows raise it, too.
    """
    lines, mark = open_lines(stream, name, columns.encoding)
    # Two lines that are not blank decide whether each line is an object.
    first: list[str] = []
    for line in lines:
        first.append(line)
        if sum(1 for each in first if each.strip()) == 2 or len(first) > _CHUNK_CHARACTERS:
            break
    all_lines = itertools.chain(first, lines)
    start = ''.join(first).lstrip(_SPACE)[:1]
    if start == '[':
        rows = _read_array(_Parser(all_lines, name))
    elif start == '{' and not _has_lines([each for each in first if each.strip()]):
        rows = _read_object(_Parser(all_lines, name))
    else:
        rows = json_lines.read_rows(all_lines, name)
    head = list(itertools.islice(rows, 1))
    names = [column for row in head if isinstance(row, Row) for column in row.cells]
    return Table(names, itertools.chain(head, rows), byte_order_mark=mark, same_columns=False)


def _has_lines(first: list[str]) -> bool:
    """Return whether the first lines are rows of their own: objects, and not one with an array."""
    try:
        found = json.loads(first[0])
    except (ValueError, RecursionError):
        return False
    nested = any(isinstance(value, list | dict) for value in found.values())
    return len(first) == 2 or not nested


class _Parser:
    """Parses the values of a JSON text in its order, and holds one of them at a time."""

    def __init__(self, lines: Iterator[str], name: str) -> None:
        self.name = name
        self._lines = lines
        self._buffer = ''
        self._at = 0
        self._decoder = json.JSONDecoder()

    def _fill(self) -> bool:
        """Read as many characters as are left, at least; return whether there were any."""
        parts = [self._buffer[self._at :]]
        wanted = max(_CHUNK_CHARACTERS, len(parts[0]))
        size = 0
        for line in self._lines:
            parts.append(line)
            size += len(line)
            if size >= wanted:
                break
        self._buffer, self._at = ''.join(parts), 0
        return size > 0

    def peek(self) -> str:
        """Return the next character that is no space; an empty string at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ''

    def take(self, expected: str, place: str) -> str:
        """Consume the next character, which must be one of these."""
        found = self.peek()
        if not found or found not in expected:
            raise self._error(f'expected {" or ".join(expected)} {place}')
        self._at += 1
        return found

    def value(self, place: str) -> tuple[Any, str]:
        """Consume the next value; return it and its text."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError as err:
                raise self._error(f'nested too deep {place}') from err
            except ValueError as err:
                # It may go on in the next chunk.
                if len(self._buffer) - self._at > MAX_ROW_CHARACTERS:
                    limit = f'longer than {MAX_ROW_CHARACTERS:,} characters'
                    raise self._error(f'{limit}, or not JSON, {place}') from err
                if self._fill():
                    continue
                raise self._error(f'not JSON, or cut off, {place}') from err
            if end == len(self._buffer) and not isinstance(value, dict | list) and self._fill():
                continue  # a number may go on
            text = self._buffer[self._at : end]
            self._at = end
            return value, text

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self._error('more than one JSON value')

    def _error(self, problem: str) -> DataError:
        return DataError(
            f'{self.name} cannot be read to its end: {problem}',
            hint='check that the file is complete; '
            'JSON Lines has an object in each line: jq -c ".[]" or jq -c . makes it',
        )


def _read_array(parser: _Parser) -> Iterator[Row | Reject]:
    yield from _read_elements(parser)
    parser.end()


def _read_elements(parser: _Parser) -> Iterator[Row | Reject]:
    parser.take('[', 'at the start')
    if parser.peek() == ']':
        parser.take(']', '')
        return
    for number in itertools.count(1):
        cells, raw = parser.value(f'in element {number:,}')
        where = f'{parser.name}:{number}'
        if isinstance(cells, dict):
            yield Row(where, raw, cells)
        else:
            yield Reject(NOT_AN_OBJECT, where)
        if parser.take(',]', f'after element {number:,}') == ']':
            return


def _read_object(parser: _Parser) -> Iterator[Row | Reject]:
    """Read the one array of objects in an object; other values in it are passed over."""
    keys: list[str] = []
    rows_key: str | None = None
    parser.take('{', 'at the start')
    while parser.peek() != '}':
        key, _ = parser.value('at the start of a key')
        keys.append(str(key)[:40])
        parser.take(':', 'after a key')
        if parser.peek() == '[':
            is_first = rows_key is None
            for row in _read_elements(parser):
                if isinstance(row, Reject) and rows_key != keys[-1]:
                    continue  # an array of other values
                if not is_first:
                    raise _not_rows(parser.name, keys)
                rows_key = keys[-1]
                yield row
        else:
            parser.value(f'in the value of {keys[-1]!r}')
        if parser.take(',}', f'after the value of {keys[-1]!r}') == '}':
            break
    else:
        parser.take('}', '')
    parser.end()
    if rows_key is None:
        raise _not_rows(parser.name, keys)


def _not_rows(name: str, keys: list[str]) -> DataError:
    shown = ', '.join(map(repr, keys[:_SHOWN_KEYS])) + (', …' if len(keys) > _SHOWN_KEYS else '')
    return DataError(
        f'{name} is one JSON object with {shown or "no keys"}, expected one array of objects',
        hint="save a row as an object; pandas: to_json(orient='records', lines=True)",
    )
