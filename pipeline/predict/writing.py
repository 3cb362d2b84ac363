"""Writes rows with their scores; a file is written as a whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, cast

from components.common.atomic_write import atomic_file
from components.common.errors import ConfigError, DataError
from components.readers.dialect import Dialect
from components.readers.formats import format_of
from components.readers.messages import quote
from components.readers.tables import Row
from pipeline.predict.model import Score
from pipeline.predict.rows import Source, replace_surrogates
from pipeline.process import signals

_WRITTEN_FORMATS = ('csv', 'tsv', 'jsonl')


class Columns(NamedTuple):
    """Names of the columns that are added."""

    label: str
    probability: str


@contextlib.contextmanager
def open_output(path: str) -> Iterator[IO[str]]:
    """Open an output file, which replaces an existing one at the end of the block.

    It is gzipped if its name ends in `.gz`, and is removed if the block raises.

    Raises:
        DataError: If it cannot be written.
    """
    path = os.path.realpath(path)
    try:
        with (
            atomic_file(path) as part,
            signals.on_forced_exit(lambda _: os.unlink(part)),
            open(part, 'xb') as raw,
        ):
            # Level 1 takes a fifth of the time of the default, for a quarter more bytes.
            compressed = gzip.GzipFile('', 'wb', 1, raw, 0) if path.lower().endswith('.gz') else raw
            with io.TextIOWrapper(
                cast(IO[bytes], compressed), 'utf-8', errors='surrogateescape', newline=''
            ) as text:
                yield text
                text.flush()
                if compressed is not raw:
                    compressed.close()
    except OSError as err:
        raise DataError(
            f'cannot write {path}: {err.strerror or err}',
            hint='nothing was written; check the folder and the free space',
        ) from err


def output_format(path: str) -> str:
    """Return the format that a file's name ends with: `csv`, `tsv` or `jsonl`.

    >>> output_format('scores.csv.gz')
    'csv'

    Raises:
        ConfigError: If it has another format.
    """
    found = format_of(path)
    if found is None or found.name not in _WRITTEN_FORMATS:
        raise ConfigError(
            f'cannot tell the format of --output {path}',
            hint='its name must end in .csv, .tsv or .jsonl, optionally with .gz',
        )
    return found.name


class RowWriter:
    """Turns rows and scores into lines of a table.

    If input and output have the same format, each row keeps its bytes, and the
    scores are added at its end. Otherwise its values are written anew: numbers
    and nested values of JSON become their JSON text in a cell.

    Args:
        source: The input.
        kind: Format of the output.
        columns: Names of the added columns.
        labels: Labels of the model: negative, positive.

    Raises:
        ConfigError: If the input has a column of one of these names, or two
            columns of the same name, which a JSON object cannot have.
    """

    def __init__(
        self, source: Source, kind: str, columns: Columns, labels: tuple[str, str]
    ) -> None:
        self._table = source.table
        self._kind = kind
        self._columns = columns
        taken = [name for name in columns if name in self._table.columns]
        if taken or columns.label == columns.probability:
            raise _name_taken(taken[0] if taken else columns.label)
        self._names = [*map(replace_surrogates, self._table.columns)]
        if kind == 'jsonl' and len(set(self._names)) < len(self._names):
            raise ConfigError(
                'two columns of the input have the same name, which a JSON object cannot have',
                hint='write CSV, or rename one',
            )
        self._same_format = source.format == kind
        self._dialect = Dialect('\t' if kind == 'tsv' else ',')
        if self._same_format and self._table.dialect is not None:
            self._dialect = self._table.dialect()
        self._delimiter = self._dialect.delimiter
        self._label_cells = {label: self._join([label]) for label in (*labels, '')}
        self._newline = self._table.newline if self._same_format else '\n'

    def header(self) -> str:
        """Return what precedes the rows: the header line, if the table has one."""
        mark = self._table.byte_order_mark if self._same_format else ''
        if self._kind == 'jsonl' or not self._table.has_header:
            return mark
        header = self._table.header if self._same_format else self._join(self._names)
        return f'{mark}{header}{self._delimiter}{self._join(list(self._columns))}{self._newline}'

    def row(self, row: Row, score: Score | None) -> str:
        """Return a row with its scores and its line break; without a score, they are empty.

        Raises:
            ConfigError: If a JSON object has a column of the name of a score.
            DataError: If it has a column that the first one did not have, for
                which a table has no place, or is nested too deep to be written.
        """
        try:
            write = self._object if self._kind == 'jsonl' else self._line
            return write(row, score) + self._newline
        except RecursionError as err:
            raise DataError(
                f'{row.where}: the object is nested too deep for a cell',
                hint='write --output NAME.jsonl',
            ) from err

    def _line(self, row: Row, score: Score | None) -> str:
        label, probability = score or ('', '')
        if self._same_format:
            cells = [row.raw, self._label_cells[label], probability]
            return self._delimiter.join(cells)
        values = row.cells
        if isinstance(values, dict):
            unknown = values.keys() - set(self._table.columns)
            if unknown:
                raise DataError(
                    f'{row.where}: {quote(min(unknown))} is not a column of the first row, '
                    'so that it has no place in a table',
                    hint='write --output NAME.jsonl',
                )
            values = [_cell(values.get(name)) for name in self._table.columns]
        return self._join([*map(replace_surrogates, values), label, probability])

    def _object(self, row: Row, score: Score | None) -> str:
        added = {
            self._columns.label: score.label if score else None,
            self._columns.probability: float(score.probability) if score else None,
        }
        if not self._same_format:
            cells = row.cells
            if isinstance(cells, list):
                cells = dict(zip(self._names, cells))
            return replace_surrogates(json.dumps({**cells, **added}, ensure_ascii=False))
        for name in self._columns:
            if name in row.cells:
                raise _name_taken(name, f'{row.where}: ')
        comma = ', ' if row.cells else ''
        body = row.raw[:-1].rstrip()
        return f'{body}{comma}{json.dumps(added, ensure_ascii=False).removeprefix("{")}'

    def _join(self, cells: list[str]) -> str:
        if not self._dialect.quoted:
            # Such a file has no way to write the delimiter or a line break.
            return self._delimiter.join(
                re.sub(rf'[{re.escape(self._delimiter)}\r\n\0]', ' ', cell) for cell in cells
            )
        line = io.StringIO()
        # csv of some Python versions quotes a line break only if it ends lines, or takes a NUL for
        # an escape: with these settings all versions write the same.
        writer = csv.writer(line, delimiter=self._delimiter, lineterminator='\r\n')
        writer.writerow([cell.replace('\0', '\ufffd') for cell in cells])
        # csv writes a row of one empty cell as quotes, since it would be a blank line.
        return '' if cells == [''] else line.getvalue().removesuffix('\r\n')


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name_taken(name: str, where: str = '') -> ConfigError:
    return ConfigError(
        f'{where}the input already has a column {quote(name)}',
        hint='pass --label-column NAME or --probability-column NAME for the added columns',
    )
