"""Names of slices in the settings: a value, each value of a column, or a cross of two columns."""

from __future__ import annotations

import re
from typing import NamedTuple

from components.common import features

OTHER = '(other)'  # values that are rare
NONE = '(none)'  # examples without a value
_COLUMN = re.compile('[A-Za-z][A-Za-z0-9_]*')
# A comma is part of a value unless a word of letters follows it, which is the next column.
_SEPARATOR = re.compile(rf',\s*(?={_COLUMN.pattern}\s*(?:=|,|$))')
MOST_COLUMNS = 2


class SlicePattern(NamedTuple):
    """The slices that a key of the setting `gate.slices` stands for.

    Attributes:
        columns: Names of the columns, sorted.
        values: Value of each column; None for each value.
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


def slice_name(key: tuple[tuple[str, object], ...]) -> str:
    """Return the name of a slice.

    >>> slice_name((('length', '1-10'), ('stars', 5)))
    'length=1-10, stars=5'
    """
    return ', '.join(f'{column}={value}' for column, value in key)


def parse_slice(key: str) -> SlicePattern:
    """Parse a key of the setting `gate.slices`.

    Args:
        key: A range of words; or one or two columns, separated by a comma, each with a value
            (`product=toaster`) or without one (`product`), which stands for each value.

    Raises:
        ValueError: If the key is none of these.

    Example:
        >>> parse_slice('product=toaster, length')
        SlicePattern(columns=('length', 'product'), values=(None, 'toaster'))
    """
    if key in features.LENGTH_BUCKETS:
        return SlicePattern((features.LENGTH_KEY,), (key,))
    found: dict[str, str | None] = {}
    for part in _SEPARATOR.split(key):
        column, equals, value = (text.strip() for text in part.partition('='))
        if not _COLUMN.fullmatch(column) or (equals and not value):
            raise ValueError(
                f'expected a slice of {", ".join(features.LENGTH_BUCKETS)}, or COLUMN, '
                f'COLUMN=VALUE, or two of them separated by a comma, got {key!r}'
            )
        if column in found:
            raise ValueError(f'the slice {key!r} names the column {column!r} twice')
        if column == features.LENGTH_KEY and equals and value not in features.LENGTH_BUCKETS:
            raise ValueError(
                f'expected a slice of {", ".join(features.LENGTH_BUCKETS)}, got {value!r}'
            )
        found[column] = value if equals else None
    if len(found) > MOST_COLUMNS:
        raise ValueError(f'expected one or two columns for a slice, got {len(found)} in {key!r}')
    columns = tuple(sorted(found))
    return SlicePattern(columns, tuple(found[column] for column in columns))
