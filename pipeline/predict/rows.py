"""The rows to be scored, read by the readers that ExampleGen uses, and put into batches."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, TypeVar

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import formats, lines, text_lines
from components.readers.cells import find_cell, not_a_text, text_of
from components.readers.encodings import encoding_hint, is_utf8, suggest
from components.readers.feature_columns import FeatureColumn, read_features
from components.readers.messages import quote_all
from components.readers.records import Reject, Value, not_encoded
from components.readers.tables import Row, Table, require_column

# Half of a UTF-16 pair, or a byte that is not UTF-8; UTF-8 cannot encode it.
_SURROGATE = re.compile('[\ud800-\udfff]')
_BATCH_ROWS = 1_000
_BATCH_CHARACTERS = 4_000_000

Item = TypeVar('Item')
Result = TypeVar('Result')


class TextRow(NamedTuple):
    """A row of a table, and the text in it; None if there is none, or a blank one."""

    row: Row
    text: str | None


class Source(NamedTuple):
    """A table or a file of text lines, opened.

    Attributes:
        format: Name of its format.
        table: The file; its rows are read through `rows`.
        rows: All rows with their texts.
    """

    format: str
    table: Table
    rows: Iterator[TextRow]


def open_source(stream: BinaryIO, name: str, columns: ColumnSettings) -> Source:
    r"""Open a table, or a file with a text in each line.

    >>> import io
    >>> file = io.BytesIO(b'id,review\n7,Fine.\n')
    >>> source = open_source(file, 'a.csv', ColumnSettings(text_column='review'))
    >>> source.format, source.table.columns, [row.text for row in source.rows]
    ('csv', ['id', 'review'], ['Fine.'])

    Args:
        stream: The file's bytes, still gzipped if its name ends in `.gz`.
        name: The file's name, which determines the format.
        columns: The settings of the format, and the name of the column with the text.

    Raises:
        DataError: If the file is an archive, lacks the column, or cannot be read.
            Reading the rows also raises it, for an unusable row or a
            truncated file.
    """
    table = formats.open_table(stream, name, columns, default=formats.TEXT_LINES)
    kind = formats.format_of(name) or formats.TEXT_LINES
    column = text_lines.COLUMN if kind is formats.TEXT_LINES else columns.text_column
    if table.same_columns:
        require_column(table.columns, name, column, '--text-column')
    return Source(kind.name, table, _find_texts(table, column, columns))


def require_columns(source: Source, columns: Sequence[FeatureColumn]) -> None:
    """Check that a table has the columns that a model reads beside the text.

    Raises:
        DataError: If it lacks one, or has two of the same name.
    """
    present = source.table.columns
    for name, _ in columns if source.table.same_columns else ():
        if present.count(name) != 1:
            what = 'two columns' if name in present else 'no column'
            raise DataError(
                f'the model was trained with {_listed(columns)}, but the input has {what} '
                f'{name!r}; its columns are {quote_all(present)}',
                hint='pass a table with these columns; their cells may be empty',
            )


def read_values(
    rows: Sequence[TextRow], present: Sequence[str], columns: Sequence[FeatureColumn]
) -> list[tuple[Value | None, ...]]:
    """Return the values of the columns in each row, None where there is none.

    Raises:
        DataError: If a value does not have the type of its column.
    """
    found: list[tuple[Value | None, ...]] = []
    if not columns:
        return [()] * len(rows)
    for row, _ in rows:
        cells = row.cells if isinstance(row.cells, dict) else dict(zip(present, row.cells))
        values = read_features(cells, columns, row.where)
        if isinstance(values, Reject):
            raise DataError(f'{row.where}: {values.reason}', hint='correct the value or remove it')
        found.append(values)
    return found


def _listed(columns: Sequence[FeatureColumn]) -> str:
    return ' and '.join(repr(column.name) for column in columns)


def replace_surrogates(text: str) -> str:
    r"""Replace surrogates, which are not valid Unicode text, by U+FFFD.

    >>> replace_surrogates('caf\udce9')
    'caf\ufffd'
    """
    return _SURROGATE.sub('\ufffd', text)


def _not_encoded(row: Row, encoding: str) -> DataError:
    hint = encoding_hint(suggest([row.raw])) if encoding == 'utf-8' else ''
    return DataError(
        f'{row.where}: the row cannot be used: {not_encoded(encoding)}',
        hint=hint or 'correct the row or remove it',
    )


def _find_texts(table: Table, column: str, columns: ColumnSettings) -> Iterator[TextRow]:
    index = table.columns.index(column) if table.same_columns else -1
    for row in table.rows:
        if isinstance(row, Reject):
            raise DataError(
                f'{row.where}: the row cannot be used: {row.reason}',
                hint='correct the row or remove it; it may have up to '
                f'{lines.MAX_ROW_CHARACTERS:,} characters',
            )
        # The raw row of a TFRecord file has escapes.
        if '\0' in row.raw or not is_utf8(row.raw):
            raise _not_encoded(row, columns.encoding)
        cell = find_cell(row.cells, column) if isinstance(row.cells, dict) else row.cells[index]
        if isinstance(cell, list | dict):
            raise not_a_text(cell, column, row.where)
        text = text_of(cell, column)
        if not is_utf8(text):
            raise _not_encoded(row, columns.encoding)
        yield TextRow(row, text if text.strip() else None)


def make_batches(rows: Iterable[TextRow]) -> Iterator[list[TextRow]]:
    """Group rows into batches of 1,000, or fewer where they are long."""
    batch: list[TextRow] = []
    characters = 0
    for each in rows:
        batch.append(each)
        characters += len(each.row.raw)
        if len(batch) == _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Apply a function in a thread per core, a few items ahead of the consumer.

    >>> list(map_in_order(len, ['a', 'bcd']))
    [('a', 1), ('bcd', 3)]

    Yields:
        Each item and its result, in the order of the items.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    workers = workers or 1
    pool = ThreadPoolExecutor(workers)
    pending: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            pending.append((item, pool.submit(function, item)))
            # One more than there are workers, so that none waits for the reader.
            if len(pending) > workers + 1:
                done, result = pending.popleft()
                yield done, result.result()
        while pending:
            done, result = pending.popleft()
            yield done, result.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
