"""Reads labelled texts from CSV, TSV and JSON Lines, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from components import features
from components.errors import DataError
from components.example_gen.records import Record, Reject
from components.settings import ColumnSettings

if TYPE_CHECKING:
    import _csv

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
_MAX_FIELD_BYTES = 1 << 30


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
    """Return the names of a table's columns: its header, or its first object's keys."""
    lines = _lines(stream, name)
    if table_format(name) == 'jsonl':
        for line in lines:
            if line.strip():
                row = json.loads(line)
                return list(row) if isinstance(row, dict) else []
        return []
    return next(csv_reader(lines, name), [])


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
        DataError: If one is missing; the message lists those that are there.
    """
    flags: dict[str, str | None] = {'--text-column': columns.text_column}
    if split != features.UNLABELLED_SPLIT:
        flags['--label-column'] = columns.label_column
        flags['--split-column'] = columns.split_column
    for flag, column in flags.items():
        if column is not None and column not in present:
            raise DataError(
                f'no column {column!r} in {name}; '
                f'its columns are {", ".join(map(repr, present)) or "none"}',
                hint=f'say {flag} NAME',
            )


def read_table(
    stream: BinaryIO, name: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    """Read a table row by row; a row that cannot be used comes as a Reject.

    A CSV or TSV file has a header line, and its fields may be quoted, with
    commas, quotes and newlines inside (RFC 4180). Memory is bounded by the
    longest row.

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name, which says the format.
        columns: Which columns hold what.
        split: The split of all rows, None to leave it to the rows.

    Yields:
        Records in the order of the file, with Rejects in between.

    Raises:
        DataError: If the file as a whole cannot be read as what it is.
    """
    try:
        if table_format(name) == 'jsonl':
            yield from _read_jsonl(_lines(stream, name), name, columns, split)
        else:
            yield from _read_csv(_lines(stream, name), name, columns, split)
    except (EOFError, OSError, zlib.error, csv.Error) as err:
        raise DataError(
            f'{name} cannot be read to its end: {err}',
            hint='check that the file is complete and its ending fits its format',
        ) from err


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    if name.lower().endswith('.gz'):
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    # Surrogates mark what is not UTF-8, so that only its row is lost.
    return io.TextIOWrapper(stream, encoding='utf-8-sig', errors='surrogateescape', newline='')


def csv_reader(lines: Iterator[str], name: str) -> _csv.Reader:
    """Return a reader of the rows that these lines hold."""
    csv.field_size_limit(_MAX_FIELD_BYTES)
    delimiter = '\t' if table_format(name) == 'tsv' else ','
    # Before Python 3.11 csv stops at a NUL byte; as a surrogate it costs only its row.
    lines = (line.replace('\0', '\udc80') for line in lines)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _read_csv(
    lines: Iterator[str], name: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    reader = csv_reader(lines, name)
    header: list[str] = next(reader, [])
    require_columns(header, name, columns, split)
    for where, row in _csv_rows(reader, name):
        if len(row) != len(header):
            yield Reject(f'not {len(header)} fields', where)
            continue
        yield _record(dict(zip(header, row)), where, columns, split)


def _csv_rows(reader: _csv.Reader, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each row that is not blank, and where it starts."""
    while True:
        where = f'{name}:{reader.line_num + 1}'
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            raise DataError(
                f'{where}: {err}', hint='check the quotes of the row that starts there'
            ) from err
        if row:
            yield where, row


def _read_jsonl(
    lines: Iterator[str], name: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    for number, line in enumerate(lines, start=1):
        where = f'{name}:{number}'
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Reject('not JSON', where)
            continue
        if not isinstance(row, dict):
            yield Reject('not a JSON object', where)
            continue
        yield _record(row, where, columns, split)


def _record(
    row: dict[str, object], where: str, columns: ColumnSettings, split: str | None
) -> Record | Reject:
    text, label = row.get(columns.text_column), row.get(columns.label_column)
    if not isinstance(text, str) or not text.strip():
        return Reject('empty text', where)
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
        return Record(text, None, split, where) if _is_utf8(text) else Reject('not UTF-8', where)
    if not label_text:
        return Reject('no label', where)
    if not _is_utf8(text) or not _is_utf8(label_text):
        return Reject('not UTF-8', where)
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
