"""Divides the test split into slices by the length of the text and by feature columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.common import features
from components.common.errors import DataError
from components.evaluator.slice_patterns import (
    NONE,
    OTHER,
    Group,
    SlicePattern,
    slice_name,
    value_name,
)

# More integers are a quantity, such as an age, and not names of something.
MOST_INTEGERS = 20
# Each takes some 15 ms, and a row of the report.
MOST_VALUES = 1_000
_QUANTILES = (0.25, 0.5, 0.75)

Rows = npt.NDArray[np.bool_]
# A value of each column; the whole test split has none.
SliceKey = tuple[tuple[str, str | int], ...]


class Slice(NamedTuple):
    """A slice of the test split.

    Attributes:
        key: The values of its columns, as in TFMA: integers and texts.
        rows: bool `[examples]`, which examples are in the slice.
    """

    key: SliceKey
    rows: Rows

    @property
    def name(self) -> str:
        """The name, such as `length=1-10, product=tea`; empty for the whole test split."""
        return slice_name(self.key)

    @property
    def is_of_values(self) -> bool:
        """Whether its examples have these values.

        Examples of a range of numbers, of rare values and without a value do not.
        """
        return not any(isinstance(value, Group) for _, value in self.key)


class FoundSlices(NamedTuple):
    """The slices of a test split.

    Attributes:
        slices: By name, the whole test split first.
        by_pattern: Names of the slices that each pattern stands for. A pattern that
            occurs nowhere stands for none, and neither does one for each value of a
            column without values.
    """

    slices: dict[str, Slice]
    by_pattern: dict[SlicePattern, list[str]]


class _Part(NamedTuple):
    """The examples with one value of a column, or with several that are taken together."""

    value: str | int
    rows: Rows


def find_slices(
    columns: Mapping[str, npt.NDArray[Any]],
    patterns: Iterable[SlicePattern],
    *,
    examples: int,
    min_examples: int,
) -> FoundSlices:
    """Divide the test split.

    A text or an integer is a slice of its own. The values with fewer than `min_examples`
    examples are the slice `(other)`, unless a pattern names them. Floats, and a column of more
    than `MOST_INTEGERS` integers, are four ranges with as many examples each; equal numbers are
    in one range. Examples without a value are the slice `(none)`. The slices by length are
    always found, and have no such parts.

    Args:
        columns: Values `[examples]` by name of the column: texts (object; None is missing),
            integers (object; None is missing), or floats (NaN is missing).
        patterns: The slices to find.
        examples: Number of examples.
        min_examples: Smallest number of examples of a value that no pattern names.

    Raises:
        DataError: If a column has more than `MOST_VALUES` slices.

    Example:
        >>> products = np.array(['tea', 'tea', 'cup', None], object)
        >>> product = SlicePattern(('product',), (None,))
        >>> found = find_slices({'product': products}, [product], examples=4, min_examples=2)
        >>> {name: int(part.rows.sum()) for name, part in found.slices.items()}
        {'': 4, 'product=(none)': 1, 'product=(other)': 1, 'product=tea': 2}
    """
    length = SlicePattern((features.LENGTH_KEY,), (None,))
    patterns = list(patterns)
    found = {'': Slice((), np.ones(examples, np.bool_))}
    by_pattern = {}
    named: dict[str, set[str]] = {}
    for pattern in patterns:
        for column, value in zip(pattern.columns, pattern.values):
            named.setdefault(column, set()).update([value] if value is not None else [])
    parts = {
        name: _parts_of(name, values, named.get(name, set()), min_examples)
        for name, values in columns.items()
    }
    for pattern in [length, *(pattern for pattern in patterns if pattern != length)]:
        of_pattern = [
            of_parts for of_parts in _cross([], pattern, parts, columns) if of_parts.rows.any()
        ]
        # A bound on each value of a column that test lacks is not met by its missing values.
        of_bound = of_pattern if _has_values(pattern, of_pattern) else []
        by_pattern[pattern] = [each.name for each in of_bound]
        found |= {each.name: each for each in of_pattern}
    return FoundSlices(found, by_pattern)


def _has_values(pattern: SlicePattern, found: Sequence[Slice]) -> bool:
    """Return whether each column of which the pattern names no value has one."""
    return all(
        wanted is not None or any(each.key[number][1] is not NONE for each in found)
        for number, wanted in enumerate(pattern.values)
    )


def _cross(
    done: Sequence[tuple[str, _Part]],
    pattern: SlicePattern,
    parts: Mapping[str, Sequence[_Part]],
    columns: Mapping[str, npt.NDArray[Any]],
) -> list[Slice]:
    """Return the slices of a pattern whose first columns have the parts `done`."""
    if len(done) == len(pattern.columns):
        rows = np.logical_and.reduce([part.rows for _, part in done])
        key = tuple((column, part.value) for column, part in done)
        return [Slice(key, rows)]
    column, wanted = pattern.columns[len(done)], pattern.values[len(done)]
    of_column = parts.get(column, ())
    if wanted is not None:
        of_column = [part for part in of_column if value_name(part.value) == wanted] or _of_number(
            columns.get(column), wanted
        )
    return [
        found
        for part in of_column
        for found in _cross([*done, (column, part)], pattern, parts, columns)
    ]


def _of_number(values: npt.NDArray[Any] | None, wanted: str) -> list[_Part]:
    """Return the examples with a number of a column that is divided into ranges."""
    if values is None:
        return []
    try:
        if values.dtype == np.float64:
            rows = values.astype(np.float32) == np.float32(wanted)
            return [_Part(Group(wanted), rows)]
        return [_Part(int(wanted), np.asarray(values == int(wanted), np.bool_))]
    except ValueError:
        return []


def _parts_of(
    column: str, values: npt.NDArray[Any], named: set[str], min_examples: int
) -> list[_Part]:
    if values.dtype == np.float64:
        missing = np.isnan(values)
        return _in_ranges(values, missing)
    missing = np.array([value is None for value in values], np.bool_)
    counts = Counter(values[~missing].tolist())
    if column == features.LENGTH_KEY:
        order = features.LENGTH_BUCKETS
        lengths = sorted(counts, key=lambda name: order.index(name) if name in order else -1)
        return [_Part(name, values == name) for name in lengths]
    if len(counts) > MOST_INTEGERS and all(isinstance(value, int) for value in counts):
        return _in_ranges(values, missing)
    shown = {value for value in counts if counts[value] >= min_examples}
    if len(shown) > MOST_VALUES:
        # To gather some would exempt them from the bound on each value.
        raise DataError(
            f'expected at most {MOST_VALUES:,} values of {column!r} with at least '
            f'{min_examples:,} texts of test, got {len(shown):,}',
            hint='raise gate.min_slice_examples, or name the values in gate.slices',
        )
    shown |= {value for value in counts if value_name(value) in named}
    others = ~missing & ~np.isin(values, list(shown)) if shown else ~missing
    return [
        *_if_any(NONE, missing),
        *_if_any(OTHER, others),
        *(_Part(value, values == value) for value in sorted(shown)),
    ]


def _if_any(name: Group, rows: Rows) -> list[_Part]:
    return [_Part(name, rows)] if rows.any() else []


def _in_ranges(values: npt.NDArray[Any], missing: Rows) -> list[_Part]:
    """Divide numbers at their quartiles."""
    numbers = values[~missing]
    parts = _if_any(NONE, missing)
    if not len(numbers):
        return parts
    edges = np.quantile(numbers.astype(np.float64), _QUANTILES, method='inverted_cdf')
    ranges = np.full(len(values), -1)
    ranges[~missing] = np.searchsorted(edges, numbers.astype(np.float64), side='left')
    for number in np.unique(ranges[~missing]):
        rows = ranges == number
        ends = dict.fromkeys(_format(end) for end in (min(values[rows]), max(values[rows])))
        parts.append(_Part(Group(' to '.join(ends)), rows))
    return parts


def _format(number: float) -> str:
    # A float of an example has 32 bits.
    return str(number) if isinstance(number, int) else str(np.float32(number))
