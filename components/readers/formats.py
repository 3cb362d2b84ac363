"""The registry of file formats, which ExampleGen, `predict` and `doctor` read.

A new format is one new module here and one entry in `FORMATS`. A table format
has a function that opens a file as a `Table`; an archive of texts has one that
reads its records.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings, FeatureType
from components.readers import (
    columnar,
    delimited,
    imdb,
    json_documents,
    json_lines,
    tables,
    text_lines,
    tf_records,
    zipped,
)
from components.readers.cells import find_cell, names_of, not_a_text
from components.readers.dialect import describe_unusual
from components.readers.encodings import has_byte_lines
from components.readers.feature_columns import find_types, needed_columns, parse_features
from components.readers.lines import readable
from components.readers.records import Record, Reject
from components.readers.tables import Row, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A format of files.

    Attributes:
        name: Name of the format.
        suffixes: Endings of file names, in lower case.
        open_table: Opens a table, from its bytes, its name, and the settings.
        open_part: Reads the rows of a part of a table that begins where a line
            does; None if a row may have line breaks.
        read_archive: Reads an archive, from its bytes, its name, and whether texts
            without a label are wanted.
    """

    name: str
    suffixes: tuple[str, ...]
    open_table: Callable[[BinaryIO, str, ColumnSettings], Table] | None = None
    open_part: Callable[[BinaryIO, str, ColumnSettings], Iterator[Row | Reject]] | None = None
    read_archive: Callable[[BinaryIO, str, bool], Iterator[Record | Reject]] | None = None


# Tables that are read from their beginning to their end, and have an encoding.
_TEXT_FORMATS = ('csv', 'tsv', 'jsonl', 'json')


def _open_zip(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    def is_text_table(member: str) -> bool:
        return has_text_rows(member) and not member.lower().endswith('.gz')

    file, member = zipped.open_member(stream, name, is_text_table)
    return open_table(file, member, columns)


FORMATS = (
    Format(
        name='csv',
        suffixes=('.csv', '.csv.gz'),
        open_table=functools.partial(delimited.open_table, delimiter=','),
    ),
    Format(
        name='tsv',
        suffixes=('.tsv', '.tsv.gz'),
        open_table=functools.partial(delimited.open_table, delimiter='\t'),
    ),
    Format(
        name='jsonl',
        suffixes=('.jsonl', '.jsonl.gz', '.ndjson', '.ndjson.gz'),
        open_table=json_lines.open_table,
        open_part=json_lines.open_part,
    ),
    Format(
        name='json',
        suffixes=('.json', '.json.gz'),
        open_table=json_documents.open_table,
    ),
    Format(
        name='zip',
        suffixes=('.zip',),
        open_table=_open_zip,
    ),
    Format(
        name='parquet',
        suffixes=('.parquet', '.pq'),
        open_table=columnar.open_parquet,
    ),
    Format(
        name='arrow',
        suffixes=('.arrow', '.feather'),
        open_table=columnar.open_arrow,
    ),
    Format(
        name='tfrecord',
        suffixes=('tfrecord', 'tfrecords', 'tfrecord.gz', 'tfrecords.gz'),
        open_table=tf_records.open_table,
    ),
    Format(
        name='imdb_archive',
        suffixes=('.tar.gz', '.tgz', '.tar'),
        read_archive=imdb.read_archive,
    ),
)
# A file of any other name, if a table is not required.
TEXT_LINES = Format(name='txt', suffixes=('',), open_table=text_lines.open_table)

# The number of a shard, which stands before the ending of compressed files.
_SHARD = re.compile(r'-\d{5,}-of-\d{5,}(?=(\.gz)?$)')

TABLE_SUFFIXES = (
    '.csv, .tsv, .jsonl or .json (optionally with .gz or in a .zip), .parquet or .arrow'
)


def format_of(name: str) -> Format | None:
    """Return the format that a file's name ends with, None if it is not known.

    >>> format_of('a.TSV.gz').name, format_of('a.ndjson').name, format_of('a.txt')
    ('tsv', 'jsonl', None)
    >>> format_of('data_tfrecord-00000-of-00002.gz').name
    'tfrecord'
    """
    lower = _SHARD.sub('', name.lower())
    return next((each for each in FORMATS if lower.endswith(each.suffixes)), None)


def is_table(name: str) -> bool:
    """Return whether a file's name ends as that of a table."""
    found = format_of(name)
    return found is not None and found.open_table is not None


def has_text_rows(name: str) -> bool:
    """Return whether a file is a table that is text, so that it has an encoding."""
    found = format_of(name)
    return found is not None and found.name in _TEXT_FORMATS


def has_parts(name: str, encoding: str = 'utf-8') -> bool:
    """Return whether a file can be read in parts; one that is compressed, or UTF-16, cannot."""
    found = format_of(name)
    if found is None or found.open_part is None or name.lower().endswith('.gz'):
        return False
    return has_byte_lines(encoding)


def open_table(
    stream: BinaryIO, name: str, columns: ColumnSettings, *, default: Format | None = None
) -> Table:
    r"""Open a table.

    >>> import io
    >>> file = io.BytesIO(b'text\tlabel\nFine.\tpos\n')
    >>> open_table(file, 'a.tsv', ColumnSettings()).columns
    ['text', 'label']

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name, which determines the format.
        columns: The settings of the format.
        default: The format of files with other names, None if there is none.

    Raises:
        DataError: If the file is not a table of the format. The rows raise it,
            too: where a CSV row has no end, and where a file is cut off.
    """
    found = format_of(name) or default
    if found is None or found.open_table is None:
        raise DataError(f'{name} is not a table', hint=f'its name must end in {TABLE_SUFFIXES}')
    with readable(name):
        table = found.open_table(stream, name, columns)
    return table._replace(rows=_guard(table.rows, name))


def _guard(rows: Iterator[Row | Reject], name: str) -> Iterator[Row | Reject]:
    with readable(name):
        yield from rows


def describe_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> str:
    """Return how the fields of a .csv or .tsv file are separated, an empty string for others.

    Raises:
        DataError: As `open_table`, and if it is not clear what quotes mean.
    """
    table = open_table(stream, name, columns)
    if table.dialect is None:
        return ''
    with readable(name):
        header = '' if table.has_header else ', no header'
        return f'{table.dialect().describe()}{header}'


def read_columns(stream: BinaryIO, name: str, columns: ColumnSettings) -> list[str]:
    """Return the names of a table's columns, and those of nested fields.

    Raises:
        DataError: As `open_table`, and if the first row of a table without a
            header cannot be read, or its text is an object or a list.
    """
    table = open_table(stream, name, columns)
    first = None if table.same_columns else next(table.rows, None)
    if isinstance(first, Reject):
        raise DataError(
            f'{first.where}: the first row is {first.reason}',
            hint='expected a JSON object with a text in each line',
        )
    if first is None or isinstance(first.cells, list):
        return table.columns
    text = find_cell(first.cells, columns.text_column)
    if isinstance(text, list | dict):
        raise not_a_text(text, columns.text_column, first.where)
    return names_of(first.cells)


def read_feature_types(
    stream: BinaryIO, name: str, columns: ColumnSettings, rows: int
) -> dict[str, FeatureType | None]:
    """Find the types of the feature columns in the first rows of a table.

    Args:
        stream: The file's bytes, still compressed if it is.
        name: The file's name, which determines the format.
        columns: The settings that name the columns.
        rows: Number of rows to read.

    Returns:
        The types by column; None if a column has no value.

    Raises:
        DataError: As `open_table`, and if the table lacks one of the columns.
    """
    table = open_table(stream, name, columns)
    found = table.rows
    if table.project is not None:
        found = _guard(table.project(needed_columns(columns)), name)
    first = itertools.islice(found, rows)
    types = find_types((row.cells for row in first if isinstance(row, Row)), table.columns)
    tables.require_features(table.columns if table.same_columns else [*types], name, columns)
    return {column: types[column] for column, _ in parse_features(columns.features)}


def read_records(
    stream: BinaryIO,
    name: str,
    columns: ColumnSettings,
    split: str | None,
    *,
    start: int | None = None,
    on_format: Callable[[str], None] | None = None,
) -> Iterator[Record | Reject]:
    r"""Read the labelled texts of a table or an archive, with Rejects in between.

    Memory is bounded by the longest row, which may have 64 million characters:
    in JSON Lines, a longer one becomes a Reject; in CSV, its end is not known.

    >>> import io
    >>> table = io.BytesIO(b'text,label\nFine.,pos\n')
    >>> list(read_records(table, 'a.csv', ColumnSettings(), None))
    [Record(text='Fine.', label='pos', split=None, where='a.csv:2', features=(), group='')]

    Args:
        stream: The file's bytes, still compressed if it is.
        name: The file's name, which determines the format.
        columns: Which columns of a table hold the text, the label, the split and the group.
        split: The split of all rows, None if the rows or a hash decide it.
        start: The byte at which the stream begins, of a file that `has_parts`; a
            line begins there. None if the stream is the whole file.
        on_format: Called at the end of a .csv or .tsv file with what is unusual about its
            format, an empty string if nothing is.

    Raises:
        DataError: If the file as a whole cannot be read.
    """
    found = format_of(name)
    table = None
    if found is not None and found.read_archive is not None:
        yield from found.read_archive(stream, name, columns.use_unlabelled)
        return
    if start and found is not None and found.open_part is not None:
        rows, present = _guard(found.open_part(stream, f'{name}, byte {start}', columns), name), []
    else:
        table = open_table(stream, name, columns)
        rows, present = table.rows, table.columns
        if table.project is not None:
            rows = _guard(table.project(needed_columns(columns)), name)
        if table.same_columns:
            tables.require_columns(present, name, columns, split)
            if split != features.UNLABELLED_SPLIT:
                tables.require_features(present, name, columns)
    yield from tables.read_records(rows, present, columns, split)
    if on_format is not None and table is not None and table.dialect is not None:
        usual = '\t' if found is not None and found.name == 'tsv' else ','
        on_format(describe_unusual(table.dialect(), columns, usual))
