"""Checks whether a run can read the first rows of the data."""

from __future__ import annotations

import collections
import glob
import itertools
import os
from collections.abc import Iterator

from components.common.errors import DataError, ReviewsError
from components.common.settings import ColumnSettings
from components.example_gen import spans as span_patterns
from components.example_gen.batches import SourceKind
from components.example_gen.sources import DataSource, discover, split_of_input
from components.readers import formats, imdb
from components.readers.records import Record, Reject, label_value, unknown_label
from pipeline.doctor.finding import Check, Context, Finding, ok, problem, problem_of, warning

_ROWS_PER_FILE = 1_000
_MAX_FILES = 100


def _check_data(context: Context) -> Iterator[Finding]:
    data = context.data
    if data is None:
        return
    try:
        source = discover(data.path, data.columns, spans=data.spans)
    except ReviewsError as err:
        yield problem_of('data', err)
        return
    if '://' in source.base:
        yield warning('data', f'{data.path} is remote: its content was not checked')
        return
    files = _list_files(source)
    count = f'{len(files):,} file{"s"[: len(files) != 1]}'
    yield ok('data', f'{data.path}: {_describe_kind(source)}, {count}')
    labels: collections.Counter[str] = collections.Counter()
    rejects: collections.Counter[str] = collections.Counter()
    first_reject = ''
    for split, path in files[:_MAX_FILES]:
        context.show_progress(f'reading {os.path.basename(path)}')
        try:
            rows = _read_rows(source, path, data.columns, split)
            for row in itertools.islice(rows, _ROWS_PER_FILE):
                if isinstance(row, Reject):
                    rejects[row.reason] += 1
                    first_reject = first_reject or row.where
                else:
                    labels[_label_of(row, data.columns)] += 1
        except DataError as err:
            yield problem_of('rows', err)
            return
        except OSError as err:
            message = f'{path} cannot be read: {err.strerror or err}'
            yield problem('rows', message, 'check its owner and the disk', DataError)
            return
    yield from _describe_rows(labels, rejects, first_reject)


def _describe_rows(
    labels: collections.Counter[str], rejects: collections.Counter[str], first_reject: str
) -> Iterator[Finding]:
    values = {label for label in labels if label}
    counts = ', '.join(f'{n:,} {label or "without a label"}' for label, n in labels.most_common(5))
    if len(values) > 2:
        message = f'expected two label values, got {len(values)}: {counts}'
        yield problem('rows', message, 'keep two, or pass --positive-label VALUE', DataError)
    elif labels:
        yield ok('rows', f'the first {labels.total() + rejects.total():,}: {counts}')
    else:
        yield problem('rows', 'no usable rows', 'see the warnings below', DataError)
    if len(values) == 1:
        # Only a warning: in sorted data, the other label follows later.
        yield warning('labels', f'all rows that were read are {values.pop()}')
    for reason, count in rejects.most_common():
        message = f'{count:,} not usable: {reason}; the first is {first_reject}'
        yield warning('rejects', message, 'correct them, or let the run leave them out')


def _label_of(row: Record, columns: ColumnSettings) -> str:
    if row.label is None:
        return ''
    value = label_value(row.label, columns.positive_label)
    if value is None:
        raise unknown_label(row.label, row.where)
    return row.label if columns.positive_label else row.label.casefold()


def _list_files(source: DataSource) -> list[tuple[str | None, str]]:
    patterns = list(source.patterns)
    if source.spans:
        ((name, pattern),) = patterns
        every = os.path.join(glob.escape(source.base), span_patterns.glob_of(pattern))
        newest = span_patterns.newest(
            pattern, sorted(glob.glob(every)), source.spans, folder=source.base
        )
        patterns = [(name, span.pattern) for span in newest]
    return [
        (split_of_input(name), path)
        for name, pattern in patterns
        for path in sorted(glob.glob(os.path.join(glob.escape(source.base), pattern)))
    ]


def _read_rows(
    source: DataSource, path: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    name = os.path.basename(path)
    with open(path, 'rb') as stream:
        if source.kind is SourceKind.IMDB_FOLDER:
            yield imdb.read_file(path, stream.read())
        else:
            yield from formats.read_records(stream, name, columns, split)


def _describe_kind(source: DataSource) -> str:
    kinds = {SourceKind.IMDB_ARCHIVE: 'the IMDB archive', SourceKind.IMDB_FOLDER: 'IMDB, unpacked'}
    spans = f', newest {source.spans} of its spans' if source.spans else ''
    return kinds.get(source.kind, 'tables') + spans


CHECKS: tuple[Check, ...] = (_check_data,)
