"""Names of slices in the settings: a value, each value of a column, or a cross of two columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from components.common import features


class Group(str):
    """Stands for several values of a column, or for none: `(other)`, `(none)`, `1 to 5`."""

    __slots__ = ()


OTHER = Group('(other)')  # values that are rare
NONE = Group('(none)')  # examples without a value
_COLUMN = re.compile('[A-Za-z][A-Za-z0-9_]*')
_START = re.compile(rf'\s*({_COLUMN.pattern})\s*(=?)\s*')
_END = re.compile(r'\s*(?:,|\Z)')
# A comma is part of a value unless a word of letters follows it, which is the next column.
_SEPARATOR = re.compile(rf',\s*(?={_COLUMN.pattern}\s*(?:=|,|$))')
MOST_COLUMNS = 2
_DECODER = json.JSONDecoder()


class SlicePattern(NamedTuple):
    """The slices that a key of the setting `gate.slices` stands for.

    Attributes:
        columns: Names of the columns, sorted.
        values: Value of each column, as `value_name` writes it; None for each value.
    """

    columns: tuple[str, ...]
    values: tuple[str | None, ...]

    @property
    def name(self) -> str:
        """The name of the slice, or of the column if it stands for each value.

        >>> parse_slice('1-10').name, parse_slice('product,length').name
        ('length=1-10', 'length, product')
        """
        return ', '.join(
            column if value is None else f'{column}={value}'
            for column, value in zip(self.columns, self.values)
        )

    @property
    def is_one_slice(self) -> bool:
        """Whether the pattern stands for one slice only."""
        return None not in self.values

    def feature_values(self) -> dict[str, str | None]:
        """Return the values by column, as the examples have them.

        >>> parse_slice('product="(other)"').feature_values()
        {'product': '(other)'}
        """
        return {
            column: json.loads(value) if value and value.startswith('"') else value
            for column, value in zip(self.columns, self.values)
        }


def value_name(value: object) -> str:
    """Return the text of a value in the name of a slice.

    A text that looks like something else is in quotes, as in JSON: like a group of values, or
    like a further column. So two slices never have the same name.

    >>> [value_name(value) for value in (5, 'a, b', 'a, b=c', '(other)', OTHER)]
    ['5', '"a, b"', '"a, b=c"', '"(other)"', '(other)']
    """
    text = str(value)
    is_plain = text.isprintable() and text == text.strip() and not text.startswith('"')
    if isinstance(value, Group):
        return text
    if text and is_plain and text not in {OTHER, NONE} and not _SEPARATOR.search(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def slice_name(key: tuple[tuple[str, object], ...]) -> str:
    """Return the name of a slice.

    >>> slice_name((('length', '1-10'), ('stars', 5)))
    'length=1-10, stars=5'
    """
    return ', '.join(f'{column}={value_name(value)}' for column, value in key)


def parse_slice(key: str) -> SlicePattern:
    """Parse a key of the setting `gate.slices`.

    Args:
        key: A range of words; or one or two columns, separated by a comma, each with a value
            (`product=toaster`) or without one (`product`), which stands for each value. A value
            may be in quotes, as in JSON: `product="(other)"` is the text, and not the rare values.

    Raises:
        ValueError: If the key is none of these.

    Example:
        >>> parse_slice('product=toaster, length')
        SlicePattern(columns=('length', 'product'), values=(None, 'toaster'))
    """
    if key in features.LENGTH_BUCKETS:
        return SlicePattern((features.LENGTH_KEY,), (key,))
    found: dict[str, str | None] = {}
    for column, value in _parse_columns(key):
        if column in found:
            raise ValueError(f'the slice {key!r} names the column {column!r} twice')
        if column == features.LENGTH_KEY and value not in {None, *features.LENGTH_BUCKETS}:
            raise ValueError(
                f'expected a slice of {", ".join(features.LENGTH_BUCKETS)}, got {value!r}'
            )
        found[column] = value
    if len(found) > MOST_COLUMNS:
        raise ValueError(f'expected one or two columns for a slice, got {len(found)} in {key!r}')
    columns = tuple(sorted(found))
    return SlicePattern(columns, tuple(found[column] for column in columns))


def _parse_columns(key: str) -> Iterator[tuple[str, str | None]]:
    """Yield the columns of a key with their values, as `value_name` writes them."""
    error = ValueError(
        f'expected a slice of {", ".join(features.LENGTH_BUCKETS)}, or COLUMN, '
        f'COLUMN=VALUE, or two of them separated by a comma, got {key!r}'
    )
    end = 0
    while True:
        start = _START.match(key, end)
        if start is None:
            raise error
        (column, equals), end = start.groups(), start.end()
        value: str | None = None
        if equals and key.startswith('"', end):
            try:
                text, end = _DECODER.raw_decode(key, end)
                text.encode()  # fails for half of a surrogate pair
            except ValueError:
                raise error from None
            value = value_name(text)
        elif equals:
            separator = _SEPARATOR.search(key, end)
            last = separator.start() if separator else len(key)
            text, end = key[end:last].strip(), last
            value = text if text in {OTHER, NONE} else value_name(text)
            if not text:
                raise error
        after = _END.match(key, end)
        if after is None:
            raise error
        yield column, value
        end = after.end()
        if end == len(key) and not after.group().endswith(','):
            return
