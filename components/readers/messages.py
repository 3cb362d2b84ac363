"""Values of the data in messages, shortened, and numbers of rows."""

from __future__ import annotations

from collections.abc import Sequence

_CHARACTERS = 60
_NAMES = 10


def quote(value: str) -> str:
    """Return a value in quotes, at most its first 60 characters.

    >>> quote('pos'), len(quote('pos' * 1_000))
    ("'pos'", 63)
    """
    return repr(value if len(value) <= _CHARACTERS else f'{value[:_CHARACTERS]}…')


def quote_all(values: Sequence[str]) -> str:
    """Return at most ten values in quotes, and how many there are if these are not all.

    >>> quote_all(['text', 'label'])
    "'text', 'label'"
    >>> quote_all([str(number) for number in range(100_000)])
    "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 99,990 more"
    """
    shown = ', '.join(map(quote, values[:_NAMES]))
    more = len(values) - _NAMES
    return f'{shown} and {more:,} more' if more > 0 else shown or 'none'


def count_rows(number: int) -> str:
    """Return a number of rows in words.

    >>> count_rows(1), count_rows(2_000)
    ('1 row', '2,000 rows')
    """
    return f'{number:,} row{"s"[: number != 1]}'
