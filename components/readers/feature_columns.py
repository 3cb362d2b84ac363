"""Further columns of a table, whose values become features of the examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from components.common.settings import FEATURE_TYPES, ColumnSettings, FeatureType
from components.readers.messages import quote
from components.readers.records import Reject, Value

_INTEGER = re.compile('[+-]?[0-9]+')
_NUMBER = re.compile(r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?')
# An int64 has at most 20, zeros at its start aside; Python refuses to convert thousands.
_INTEGER_CHARACTERS = 40
_FLOAT32_MAX = 3.4028234663852886e38


class FeatureColumn(NamedTuple):
    """A column and the type of its values; the type is None if it is not known yet."""

    name: str
    type: FeatureType | None


def parse_features(features: Iterable[str]) -> list[FeatureColumn]:
    """Parse the setting `data.columns.features`.

    >>> parse_features(['product', 'stars:int'])
    [FeatureColumn(name='product', type=None), FeatureColumn(name='stars', type='int')]
    """
    parts = (feature.partition(':') for feature in features)
    return [FeatureColumn(name, cast(FeatureType | None, kind or None)) for name, _, kind in parts]


def needed_columns(columns: ColumnSettings) -> list[str]:
    """Return the columns that the settings name, each once.

    >>> needed_columns(ColumnSettings(label_column='stars', features=('product:string',)))
    ['text', 'stars', 'product']
    """
    named = [value for field, value in columns if field.endswith('_column') and value is not None]
    return list(dict.fromkeys([*named, *(name for name, _ in parse_features(columns.features))]))


def read_features(
    cells: Mapping[str, Any], columns: Sequence[FeatureColumn], where: str
) -> tuple[Value | None, ...] | Reject:
    """Return the value of each column in a row, None where there is none.

    >>> columns = parse_features(['product:string', 'stars:int'])
    >>> read_features({'product': ' ', 'stars': '5'}, columns, 'a.csv:2')
    (None, 5)
    >>> read_features({'product': 'Tea', 'stars': 'five'}, columns, 'a.csv:3').reason
    "text in the int column 'stars'"

    Args:
        cells: The values of the row by column. Surrogates stand for bytes that are
            not UTF-8.
        columns: The columns, with types.
        where: File and line of the row.

    Returns:
        The values, or a Reject if one of them does not have the type of its column.
    """
    values = []
    for name, kind in columns:
        assert kind is not None, name
        try:
            values.append(_convert(cells.get(name), kind))
        except ValueError as err:
            return Reject(f'{err} in the {kind} column {quote(name)}', where)
    return tuple(values)


def find_types(
    rows: Iterable[list[str] | dict[str, Any]], present: Sequence[str]
) -> dict[str, FeatureType | None]:
    """Find the narrowest type that has all values of a column.

    An integer is also a float, and each value is also a string. In JSON, text in
    quotes is a string, whatever it contains.

    >>> find_types([['5', '', '1'], ['4.5', '', 'x']], ['stars', 'age', 'product'])
    {'stars': 'float', 'age': None, 'product': 'string'}

    Args:
        rows: The cells of rows, by column if they are JSON.
        present: The columns that all rows have.

    Returns:
        The types of all columns; None if a column has no value.
    """
    found: dict[str, FeatureType | None] = dict.fromkeys(present)
    for row in rows:
        in_json = isinstance(row, dict)
        for name, value in row.items() if isinstance(row, dict) else zip(present, row):
            if found.get(name) != 'string':
                found[name] = widest([found.get(name), _type_of(value, in_json=in_json)])
    return found


def widest(kinds: Iterable[FeatureType | None]) -> FeatureType | None:
    """Return the type that has all values of these types; None stands for no values."""
    return max(filter(None, kinds), key=FEATURE_TYPES.index, default=None)


def _type_of(value: object, *, in_json: bool) -> FeatureType | None:
    if _is_missing(value):
        return None
    if in_json and isinstance(value, str):
        return 'string'
    # A number of many digits, such as an identifier, would lose digits as a float.
    kinds = ('int',) if _INTEGER.fullmatch(_text_of(value)) else FEATURE_TYPES
    for kind in kinds:
        try:
            _convert(value, kind)
        except ValueError:
            continue
        return kind
    return 'string'


def _convert(value: object, kind: FeatureType) -> Value | None:
    """Return a value of a type, None if it is missing.

    Raises:
        ValueError: If it does not have the type. The message says what it is.
    """
    if _is_missing(value):
        return None
    if isinstance(value, list | dict):
        raise ValueError('a list' if isinstance(value, list) else 'an object')
    text = _text_of(value)
    if kind == 'string':
        try:
            text.encode('utf-8')
        except UnicodeEncodeError as err:
            raise ValueError('bytes that are not UTF-8') from err
        return text
    if _INTEGER.fullmatch(text) and kind == 'int':
        if len(text) <= _INTEGER_CHARACTERS and -(1 << 63) <= int(text) < 1 << 63:
            return int(text)
    elif _NUMBER.fullmatch(text):
        if kind == 'int':
            raise ValueError('a decimal number')
        if abs(number := float(text)) <= _FLOAT32_MAX:
            return number
    elif isinstance(value, bool | str):
        raise ValueError('text' if isinstance(value, str) else 'true or false')
    raise ValueError('a number that is out of range')


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text_of(value: object) -> str:
    """Return the text of a value as a table has it, without spaces at the ends."""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
