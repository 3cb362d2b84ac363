"""The values in the cells of a table, which in some formats are not texts."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.errors import DataError
from components.common.settings import canonical_label
from components.readers.identity import normalize
from components.readers.messages import quote

# Deeper fields can be read, but are not listed.
_MAX_DEPTH = 8
_MAX_NESTED_NAMES = 1_000
# A name that needs no quotes in a command.
_PLAIN = re.compile(r'[\w-]{1,60}')


def find_cell(cells: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column, None if there is none; dots lead to nested fields.

    A column whose name has dots itself comes first.

    >>> cells = {'body': {'text': 'Fine.', 'size': {'words': 1}}, 'body.size': 'small'}
    >>> [find_cell(cells, name) for name in ('body.text', 'body.size', 'body.size.words', 'body.x')]
    ['Fine.', 'small', 1, None]
    """
    if column in cells or '.' not in column:
        return cells.get(column)
    value: Any = cells
    for name in column.split('.'):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text_of(value: object, column: str) -> str:
    """Return a value of a cell as text: a number is its digits, and a missing value is empty.

    >>> [text_of(value, 'text') for value in ('Fine.', 5, 4.5, True, None, float('nan'))]
    ['Fine.', '5', '4.5', 'true', '', '']

    Raises:
        ValueError: If it is a list or an object; the message says so, but nothing of its content.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ''
    if isinstance(value, list | dict):
        what = 'a list' if isinstance(value, list) else 'an object'
        raise ValueError(f'{what} in the column {quote(column)}')
    return str(value).lower() if isinstance(value, bool) else str(value)


def label_of(value: object, column: str) -> str:
    """Return the label in a cell: as `text_of`, without spaces, and 1.0 is the label '1'.

    >>> label_of(1.0, 'label'), label_of(' pos', 'label'), label_of(True, 'label')
    ('1', 'pos', 'true')

    Raises:
        ValueError: If it is a list or an object.
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return text_of(value, column).strip()


def group_of(value: object, column: str) -> str:
    """Return what all spellings of a group in a cell have in common, empty if there is none.

    >>> [group_of(value, 'film') for value in (5, 5.0, ' 5 ', 'Big  Fish', 'BIG FISH', None)]
    ['5', '5', '5', 'big fish', 'big fish', '']

    Raises:
        ValueError: If it is a list or an object.
    """
    return canonical_label(normalize(label_of(value, column)))


def names_of(cells: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns of a row, followed by those of nested fields.

    >>> names_of({'id': 7, 'body': {'text': 'Fine.', 'size': {'words': 1}}})
    ['id', 'body', 'body.text', 'body.size', 'body.size.words']
    """
    nested = (name for name in _nested(cells, '', _MAX_DEPTH) if name not in cells)
    return [*cells, *itertools.islice(nested, _MAX_NESTED_NAMES)]


def _nested(cells: Mapping[str, Any], prefix: str, depth: int) -> Iterator[str]:
    for name, value in cells.items():
        if prefix:
            yield f'{prefix}{name}'
        if isinstance(value, dict) and depth:
            yield from _nested(value, f'{prefix}{name}.', depth - 1)


def not_a_text(value: object, column: str, where: str) -> DataError:
    """Return the error for a text that is an object or a list, with a field to take instead.

    >>> str(not_a_text({'html': '<p>', 'text': 'Fine.'}, 'body', 'a.jsonl:1'))
    "a.jsonl:1: expected a text, got an object in the column 'body'"
    >>> not_a_text({'html': '<p>', 'text': 'Fine.'}, 'body', 'a.jsonl:1').hint
    'pass --text-column body.text'
    """
    fields = value.items() if isinstance(value, dict) else ()
    names = [name for name, text in fields if isinstance(text, str) and _PLAIN.fullmatch(name)]
    best = 'text' if 'text' in names else names[0] if names else None
    what = 'an object' if isinstance(value, dict) else 'a list'
    return DataError(
        f'{where}: expected a text, got {what} in the column {quote(column)}',
        hint=f'pass --text-column {f"{column}.{best}" if best else "NAME"}',
    )
