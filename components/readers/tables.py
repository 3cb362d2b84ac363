"""Tables of any format: their rows, and the labelled texts in these."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers.cells import find_cell, group_of, label_of, text_of
from components.readers.dialect import Dialect
from components.readers.encodings import is_utf8
from components.readers.feature_columns import FeatureColumn, parse_features, read_features
from components.readers.messages import quote, quote_all
from components.readers.records import EMPTY_TEXT, NO_LABEL, Record, Reject, not_encoded

# Names of the splits in file names and in a split column.
SPLIT_NAMES = {
    'train': features.TRAIN_SPLIT,
    'training': features.TRAIN_SPLIT,
    'val': features.VAL_SPLIT,
    'valid': features.VAL_SPLIT,
    'validation': features.VAL_SPLIT,
    'dev': features.VAL_SPLIT,
    'test': features.TEST_SPLIT,
    'testing': features.TEST_SPLIT,
    'unsup': features.UNLABELLED_SPLIT,
    'unsupervised': features.UNLABELLED_SPLIT,
    'unlabelled': features.UNLABELLED_SPLIT,
    'unlabeled': features.UNLABELLED_SPLIT,
}

# Names that are compared with one that was not found.
_MAX_COMPARED, _MAX_NAME = 1_000, 60

# Cells of a first line that is no header.
_LABELS = frozenset(
    (
        *('0', '1', '2', '3', '4', '5', '-1', '0.0', '1.0', 'true', 'false', 'yes', 'no'),
        *('pos', 'neg', 'positive', 'negative', 'neutral', 'ham', 'spam'),
    )
)


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        where: File and line, for messages.
        raw: The row as it stands in the file, without its line break.
        cells: The values in the order of the columns, or those of a JSON object
            by name. Surrogates stand for bytes that are not UTF-8.
    """

    where: str
    raw: str
    cells: list[str] | dict[str, Any]


class Table(NamedTuple):
    """An open table.

    Attributes:
        columns: Names of the columns.
        rows: All rows, and a Reject for each that cannot be read.
        header: The header line as it stands in the file, without its line
            break; empty where there is none.
        byte_order_mark: The mark that the file begins with, or an empty string.
        newline: Line break of the header line.
        same_columns: Whether all rows have the same columns.
        project: Yields the rows with the named columns only, in place of `rows`;
            None if the format reads whole rows.
        dialect: Finds how the fields of a .csv or .tsv file are separated and quoted;
            None for other formats.
        has_header: Whether the file names its columns.
    """

    columns: list[str]
    rows: Iterator[Row | Reject]
    header: str = ''
    byte_order_mark: str = ''
    newline: str = '\n'
    same_columns: bool = True
    project: Callable[[Collection[str]], Iterator[Row | Reject]] | None = None
    dialect: Callable[[], Dialect] | None = None
    has_header: bool = True


def require_columns(
    present: list[str], name: str, columns: ColumnSettings, split: str | None
) -> None:
    """Check that a table has the columns that the settings name; see `require_column`.

    If all rows have the split `unsup`, only the text is needed.
    """
    require_column(present, name, columns.text_column, '--text-column')
    if split != features.UNLABELLED_SPLIT:
        require_column(present, name, columns.label_column, '--label-column')
        if columns.split_column is not None:
            require_column(present, name, columns.split_column, '--split-column')
        if columns.group_column is not None:
            require_column(present, name, columns.group_column, '--group-column')


def require_features(present: list[str], name: str, columns: ColumnSettings) -> None:
    """Check that a table has the feature columns; see `require_column`."""
    for column, _ in parse_features(columns.features):
        require_column(present, name, column, "--set 'data.columns.features=[...]' with")


def require_column(present: list[str], name: str, column: str, option: str) -> None:
    """Check that a table has one column of this name.

    >>> require_column(['review', 'stars'], 'a.csv', 'text', '--text-column')
    Traceback (most recent call last):
      ...
    components.common.errors.DataError: no column 'text' in a.csv; its columns are ...

    Args:
        present: Names of the table's columns.
        name: The file's name, for the message.
        column: The name to look for.
        option: The option that sets it, for the hint.

    Raises:
        DataError: If it has none, or more than one; the message lists the columns.
    """
    if present.count(column) == 1:
        return
    what = f'{"more than one" if column in present else "no"} column {quote(column)}'
    if any(map(_is_value, present)):
        raise DataError(
            f'{what} in {name}; its first line looks like a row: {quote_all(present)}',
            hint=f'pass {option} NAME; if there is no header, pass --no-header, and columns by '
            'number, such as --text-column 2 --label-column 1',
        )
    raise DataError(
        f'{what} in {name}; its columns are {quote_all(present)}',
        hint=f'pass {option} {_closest(column, present) or "NAME"}',
    )


def _closest(column: str, present: Sequence[str]) -> str | None:
    """Return a name that is like the one of a column, or a nested field of this name."""
    # A long name is rather a text, and to compare thousands would take seconds.
    names = [name for name in present[:_MAX_COMPARED] if len(name) <= _MAX_NAME and name != column]
    nested = (name for name in names if name.endswith(f'.{column}'))
    close = difflib.get_close_matches(column, names, n=1, cutoff=0.8)
    return next(nested, close[0] if close else None)


def _is_value(name: str) -> bool:
    """Return whether a name of a column is rather a label or a text of a row."""
    return len(name.split()) > 5 or name.strip().lower() in _LABELS


def read_records(
    rows: Iterable[Row | Reject],
    present: list[str],
    columns: ColumnSettings,
    split: str | None,
) -> Iterator[Record | Reject]:
    """Find the labelled text in each row; one that cannot be used becomes a Reject.

    >>> rows = [Row('a.csv:2', 'Fine.,pos', ['Fine.', 'pos']), Row('a.csv:3', ',neg', ['', 'neg'])]
    >>> for found in read_records(rows, ['text', 'label'], ColumnSettings(), None):
    ...     print(found)
    Record(text='Fine.', label='pos', split=None, where='a.csv:2', features=(), group='')
    Reject(reason='empty text', where='a.csv:3')

    Raises:
        DataError: If the split column of a labelled row does not hold a split.
    """
    wanted = parse_features(columns.features)
    for row in rows:
        if isinstance(row, Reject):
            yield row
            continue
        cells = row.cells
        by_name = cells if isinstance(cells, dict) else dict(zip(present, cells))
        record = _read_record(by_name, row.where, columns, split)
        if wanted and isinstance(record, Record):
            record = _add_features(record, by_name, wanted)
        yield record


def _add_features(
    record: Record, cells: dict[str, Any], columns: Sequence[FeatureColumn]
) -> Record | Reject:
    values = read_features(cells, columns, record.where)
    return values if isinstance(values, Reject) else record._replace(features=values)


def _read_record(
    cells: dict[str, Any], where: str, columns: ColumnSettings, split: str | None
) -> Record | Reject:
    try:
        text = text_of(find_cell(cells, columns.text_column), columns.text_column)
        if not text.strip():
            return Reject(EMPTY_TEXT, where)
        label_text = label_of(find_cell(cells, columns.label_column), columns.label_column)
        group = ''
        if columns.group_column is not None:
            group = group_of(find_cell(cells, columns.group_column), columns.group_column)
        if columns.split_column is not None and split is None:
            value = text_of(find_cell(cells, columns.split_column), columns.split_column).strip()
            split = SPLIT_NAMES.get(value.lower())
            if split is None and label_text:
                raise DataError(
                    f'{where}: the split column {quote(columns.split_column)} holds {quote(value)}',
                    hint='write train, val or test in every row, or unsup in a row without a label',
                )
    except ValueError as err:
        return Reject(str(err), where)
    if split == features.UNLABELLED_SPLIT:
        return (
            Record(text, None, split, where)
            if is_utf8(text)
            else Reject(not_encoded(columns.encoding), where)
        )
    if not label_text:
        return Reject(NO_LABEL, where)
    if not all(map(is_utf8, (text, label_text, group))):
        return Reject(not_encoded(columns.encoding), where)
    return Record(text, label_text, split, where, group=group)
