"""Writes rows with their scores; a file appears as a whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, cast

from components.common.errors import ConfigError, DataError
from components.readers.tables import table_format
from pipeline.predict.model import Score
from pipeline.predict.rows import Row, Table, clean
from pipeline.process import signals

_NOTHING = ('', '')


class Columns(NamedTuple):
    """Names of the columns that are added."""

    label: str
    probability: str


@contextlib.contextmanager
def atomic_file(path: str) -> Iterator[IO[str]]:
    """Open a file that takes its name when the block is done, and is removed if it fails.

    Args:
        path: Its name; gzipped if it ends in `.gz`. What is there is replaced.

    Raises:
        DataError: If it cannot be written.
    """
    path = os.path.realpath(path)
    part = os.path.join(
        os.path.dirname(path), f'.{os.path.basename(path)}.{uuid.uuid4().hex[:12]}.part'
    )

    def remove(_: KeyboardInterrupt | None = None) -> None:
        with contextlib.suppress(OSError):
            os.unlink(part)

    try:
        with signals.last_words(remove), open(part, 'xb') as raw:
            # Level 1 takes a fifth of the time of the default, for a quarter more bytes.
            packed = gzip.GzipFile('', 'wb', 1, raw, 0) if path.lower().endswith('.gz') else raw
            with io.TextIOWrapper(
                cast(IO[bytes], packed), 'utf-8', errors='surrogateescape', newline=''
            ) as text:
                yield text
                text.flush()
                if packed is not raw:
                    packed.close()
                raw.flush()
                os.fsync(raw.fileno())
        os.replace(part, path)
    except OSError as err:
        raise DataError(
            f'cannot write {path}: {err.strerror or err}', hint='nothing was written'
        ) from err
    finally:
        remove()


def output_format(path: str) -> str:
    """Return `csv`, `tsv` or `jsonl`, as the name of the file says.

    Raises:
        ConfigError: If it says none of them.
    """
    found = table_format(path)
    if found is None:
        raise ConfigError(
            f'cannot tell the format of --output {path}',
            hint='its name must end in .csv, .tsv or .jsonl, or in one of these and .gz',
        )
    return found


class RowWriter:
    """Turns rows and scores into lines of a table.

    Where input and output have the same format, a row is left as it is, to the
    byte, and the scores are added at its end. Otherwise its values are written
    anew: of JSON, numbers and what is nested become their JSON text in a cell.

    Args:
        table: The input.
        kind: Format of the output.
        columns: What the scores are called.
        labels: Of the model.

    Raises:
        ConfigError: If the input has a column of such a name, or two of the
            same name that JSON would take for one.
    """

    def __init__(self, table: Table, kind: str, columns: Columns, labels: tuple[str, str]) -> None:
        self._table = table
        self._kind = kind
        self._columns = columns
        taken = [name for name in columns if name in table.columns]
        if taken or columns.label == columns.probability:
            raise _name_taken(taken[0] if taken else columns.label)
        self._names = [*map(clean, table.columns)]
        if kind == 'jsonl' and len(set(self._names)) < len(self._names):
            raise ConfigError(
                'two columns of the input have the same name, which a JSON object cannot',
                hint='write CSV, or rename one',
            )
        self._delimiter = '\t' if kind == 'tsv' else ','
        self._cells = {label: self._line([label]) for label in (*labels, '')}
        self._as_is = table.format == kind
        make: dict[str, Callable[[Row, Score | None], str]] = {
            'jsonl': self._extend_object if self._as_is else self._object,
        }
        self._write = make.get(kind, self._extend_line if self._as_is else self._new_line)
        self._newline = table.newline if self._as_is else '\n'

    def header(self) -> str:
        """Return what comes before the rows: the header line; nothing for JSON Lines."""
        mark = self._table.mark if self._as_is else ''
        if self._kind == 'jsonl':
            return mark
        added = self._line(list(self._columns))
        old = self._table.header if self._as_is else self._line(self._names)
        return f'{mark}{old}{self._delimiter}{added}{self._newline}'

    def row(self, row: Row, score: Score | None) -> str:
        """Return a row with its scores, with its line break; without a score, they are empty.

        Raises:
            ConfigError: If a JSON object has a column of the name of a score.
            DataError: If it has a column that the first one had not, and a
                table has no place for, or is nested too deep to be written.
        """
        try:
            return self._write(row, score) + self._newline
        except RecursionError as err:
            raise DataError(
                f'{row.where}: the object is nested too deep for a cell',
                hint='write --output NAME.jsonl',
            ) from err

    def _extend_line(self, row: Row, score: Score | None) -> str:
        label, probability = score or _NOTHING
        d = self._delimiter
        return f'{row.raw}{d}{self._cells[label]}{d}{probability}'

    def _new_line(self, row: Row, score: Score | None) -> str:
        cells = row.cells
        if isinstance(cells, dict):
            strange = cells.keys() - set(self._table.columns)
            if strange:
                raise DataError(
                    f'{row.where}: {min(strange)!r} is no column of the first row, '
                    'so that it has no place in a table',
                    hint='write --output NAME.jsonl',
                )
            cells = [_cell(cells.get(name)) for name in self._table.columns]
        return self._line([*map(clean, cells), *(score or _NOTHING)])

    def _extend_object(self, row: Row, score: Score | None) -> str:
        self._require_free(row)
        added = json.dumps(self._columns.label, ensure_ascii=False), json.dumps(
            self._columns.probability, ensure_ascii=False
        )
        label = json.dumps(score.label, ensure_ascii=False) if score else 'null'
        probability = score.probability if score else 'null'
        body = row.raw[:-1].rstrip()
        comma = ', ' if row.cells else ''
        return f'{body}{comma}{added[0]}: {label}, {added[1]}: {probability}}}'

    def _object(self, row: Row, score: Score | None) -> str:
        values: dict[str, Any] = dict(zip(self._names, map(clean, row.cells)))
        values[self._columns.label] = score.label if score else None
        values[self._columns.probability] = float(score.probability) if score else None
        return json.dumps(values, ensure_ascii=False)

    def _require_free(self, row: Row) -> None:
        for name in self._columns:
            if name in row.cells:
                raise _name_taken(name, f'{row.where}: ')

    def _line(self, cells: list[str]) -> str:
        line = io.StringIO()
        # Some Pythons' csv puts quotes around a line break only if it ends lines, or takes a NUL
        # for what is to be escaped: so all write the same.
        writer = csv.writer(line, delimiter=self._delimiter, lineterminator='\r\n')
        writer.writerow([cell.replace('\0', '\ufffd') for cell in cells])
        # A row of one empty cell would be a blank line, which csv tells apart by quotes.
        return '' if cells == [''] else line.getvalue().removesuffix('\r\n')


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name_taken(name: str, where: str = '') -> ConfigError:
    return ConfigError(
        f'{where}a column {name!r} is there already',
        hint='say --label-column NAME or --probability-column NAME for what is added',
    )
