"""Reads labelled texts from CSV, TSV and JSON Lines, plain or gzipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers.lines import (
    CsvRows,
    as_text,
    open_text,
    pieces,
    readable,
    whole_lines,
)
from components.readers.records import (
    EMPTY_TEXT,
    NO_LABEL,
    NOT_AN_OBJECT,
    NOT_JSON,
    NOT_UTF8,
    TOO_LONG,
    Record,
    Reject,
)

# What people call the splits, in file names and in a split column.
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
    'unlabelled': features.UNLABELLED_SPLIT,
    'unlabeled': features.UNLABELLED_SPLIT,
}

_TABLE = re.compile(r'\.(csv|tsv|jsonl|ndjson)(\.gz)?$', re.IGNORECASE)


def table_format(name: str) -> str | None:
    """Return `csv`, `tsv` or `jsonl` for a file's name, None if it is none.

    >>> table_format('a.TSV.gz'), table_format('a.ndjson'), table_format('a.txt')
    ('tsv', 'jsonl', None)
    """
    match = _TABLE.search(name)
    if match is None:
        return None
    return {'ndjson': 'jsonl'}.get(match[1].lower(), match[1].lower())


def read_columns(stream: BinaryIO, name: str) -> list[str]:
    """Return the names of a table's columns: its header, or its first object's keys.

    Raises:
        DataError: If the first row cannot be read.
        EOFError, OSError, zlib.error: If the file cannot be read or unpacked.
    """
    lines = pieces(open_text(stream, name))
    if table_format(name) != 'jsonl':
        return csv_rows(lines, name).header
    for number, line in enumerate(whole_lines(lines), start=1):
        if line is None or line.strip():
            row = _parse_object(line)
            if row == NOT_AN_OBJECT:
                return []
            if isinstance(row, str):
                raise DataError(
                    f'{name} is not what its name says: line {number} is {row}',
                    hint='expected a JSON object with a text in each line',
                )
            return list(row)
    return []


def require_columns(
    present: list[str], name: str, columns: ColumnSettings, split: str | None
) -> None:
    """Check that a table has the columns asked for.

    Args:
        present: Names of the table's columns.
        name: The file's name, for the message.
        columns: Which columns are needed.
        split: The split of all rows, None to leave it to the rows.

    Raises:
        DataError: If one is missing or there twice; the message lists those that
            are there.
    """
    flags: dict[str, str | None] = {'--text-column': columns.text_column}
    if split != features.UNLABELLED_SPLIT:
        flags['--label-column'] = columns.label_column
        flags['--split-column'] = columns.split_column
    for flag, column in flags.items():
        if column is not None:
            require_column(present, name, column, flag)


def require_column(present: list[str], name: str, column: str, flag: str) -> None:
    """Check that a table has one column of this name; `flag` is the option that names it.

    Raises:
        DataError: If it has none, or two.
    """
    if present.count(column) == 1:
        return
    told = f'more than one column {column!r}' if column in present else f'no column {column!r}'
    raise DataError(
        f'{told} in {name}; its columns are {", ".join(map(repr, present)) or "none"}',
        hint=f'say {flag} NAME',
    )


def read_table(
    stream: BinaryIO, name: str, columns: ColumnSettings, split: str | None, *, start: int = 0
) -> Iterator[Record | Reject]:
    """Read a table row by row; a row that cannot be used comes as a Reject.

    A CSV or TSV file has a header line, and its fields may be quoted, with
    commas, quotes and newlines inside (RFC 4180). Memory is bounded by the
    longest row, which may have 64 million characters: in JSON Lines, a longer
    one comes as a Reject; in CSV, where it might end is not known.

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name, which says the format.
        columns: Which columns hold what.
        split: The split of all rows, None to leave it to the rows.
        start: The byte of a JSON Lines file at which the stream begins; a line
            begins there.

    Yields:
        Records in the order of the file, with Rejects in between.

    Raises:
        DataError: If the file as a whole cannot be read as what it is.
    """
    with readable(name):
        if start:
            # How a file begins, its encoding included, is looked at where it begins.
            lines = pieces(as_text(stream))
            yield from _read_jsonl(lines, f'{name}, byte {start}', columns, split)
            return
        lines = pieces(open_text(stream, name))
        if table_format(name) == 'jsonl':
            yield from _read_jsonl(lines, name, columns, split)
        else:
            yield from _read_csv(lines, name, columns, split)


def csv_rows(lines: Iterable[str], name: str) -> CsvRows:
    """Return the rows that these lines of a CSV or TSV file hold."""
    return CsvRows(lines, name, '\t' if table_format(name) == 'tsv' else ',')


def _read_csv(
    lines: Iterable[str], name: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    rows = csv_rows(lines, name)
    header = rows.header
    require_columns(header, name, columns, split)
    for where, row in rows:
        if not row:
            continue
        if len(row) != len(header):
            yield Reject(f'not {len(header)} fields', where)
            continue
        yield _record(dict(zip(header, row)), where, columns, split)


def _read_jsonl(
    lines: Iterable[str], name: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    for number, line in enumerate(whole_lines(lines), start=1):
        where = f'{name}:{number}'
        if line is not None and not line.strip():
            continue
        row = _parse_object(line)
        yield Reject(row, where) if isinstance(row, str) else _record(row, where, columns, split)


def _parse_object(line: str | None) -> dict[str, object] | str:
    """Return the object that a line holds, or why there is none."""
    if line is None:
        return TOO_LONG
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return NOT_JSON
    return row if isinstance(row, dict) else NOT_AN_OBJECT


def _record(
    row: dict[str, object], where: str, columns: ColumnSettings, split: str | None
) -> Record | Reject:
    text, label = row.get(columns.text_column), row.get(columns.label_column)
    if not isinstance(text, str) or not text.strip():
        return Reject(EMPTY_TEXT, where)
    label_text = '' if label is None else _label_text(label)
    if columns.split_column is not None and split is None:
        value = str(row.get(columns.split_column) or '').strip()
        split = SPLIT_NAMES.get(value.lower())
        if split is None and label_text:
            raise DataError(
                f'{where}: the split column {columns.split_column!r} says {value!r}',
                hint='expected train, val or test in every row, or unsup where it has no label',
            )
    if split == features.UNLABELLED_SPLIT:
        return Record(text, None, split, where) if _is_utf8(text) else Reject(NOT_UTF8, where)
    if not label_text:
        return Reject(NO_LABEL, where)
    if not _is_utf8(text) or not _is_utf8(label_text):
        return Reject(NOT_UTF8, where)
    return Record(text, label_text, split, where)


def _label_text(label: object) -> str:
    # JSON has booleans and numbers: true and 1.0 are the labels 'true' and '1'.
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).strip()


def _is_utf8(text: str) -> bool:
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True
