"""Checks whether a run can read the first rows of the data."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Iterator

from components.common.errors import DataError
from components.common.settings import ColumnSettings, canonical_label
from components.example_gen.batches import SourceKind
from components.example_gen.sources import DataSource, discover, list_files
from components.readers import formats, imdb
from components.readers.encodings import encoding_hint
from components.readers.labels import LabelRule, require_two_labels
from components.readers.lines import find_encoding
from components.readers.messages import count_rows
from components.readers.records import NOT_UTF8, Record, Reject
from pipeline.doctor.finding import Checks, Context, Finding

_ROWS_PER_FILE = 1_000
_MAX_FILES = 100


def _check_data(context: Context) -> Iterator[Finding]:
    data = context.data
    if data is None:
        return
    source = discover(data.path, data.columns, spans=data.spans)
    if '://' in source.base:
        message = f'{data.path} is remote: its content was not checked'
        yield Finding('data', message, 'no action is needed: the run checks it')
        return
    columns = data.columns.model_copy(update={'features': source.features})
    files = list_files(source)
    yield Finding('data', f'{data.path}: {len(files):,} file{"s"[: len(files) != 1]}')
    labels: collections.Counter[str] = collections.Counter()
    sides: dict[int | None, collections.Counter[str]] = {}
    rule = LabelRule(data.columns)
    rejects: dict[str, list[str]] = collections.defaultdict(list)
    groups: collections.Counter[str] = collections.Counter()
    complete = len(files) <= _MAX_FILES
    for split, path in files[:_MAX_FILES]:
        try:
            rows = _read_rows(source, path, columns, split)
            for row in itertools.islice(rows, _ROWS_PER_FILE):
                if isinstance(row, Reject):
                    rejects[row.reason].append(row.where)
                else:
                    name, value = _read_label(row, rule)
                    labels[name] += 1
                    groups[row.group] += 1
                    sides.setdefault(value, collections.Counter())[name] += 1
            complete = complete and next(rows, None) is None
        except OSError as err:
            raise DataError(
                f'{path} cannot be read: {err.strerror or err}', hint='check its owner and the disk'
            ) from err
    if source.kind is SourceKind.TABLES and files:
        yield from _describe(files[0][1], columns)
    for reason, places in rejects.items():
        message = f'{len(places):,} not usable: {reason}; the first is {places[0]}'
        hint = _encoding_hint([path for _, path in files]) if reason == NOT_UTF8 else ''
        hint = hint or 'correct them, or let the run leave them out'
        yield Finding('rejects', message, hint)
    counts = ', '.join(
        f'{n:,} {repr(name[:40]) if name else "without a label"}'
        for name, n in labels.most_common(5)
    )
    if not labels:
        raise DataError('no usable rows', hint='see the warnings')
    negative, positive = (sides.get(value, collections.Counter()) for value in (0, 1))
    require_two_labels(negative, positive, data.columns, complete=complete)
    values = [*negative, *positive]
    yield Finding('rows', f'the first {labels.total()} usable ones: {counts}')
    if columns.group_column is not None:
        yield Finding('groups', _count_groups(groups, columns.group_column))
    if values and not (negative and positive):
        # Only a warning: in sorted data, the other label may follow.
        message = f'all rows that were read have the label {values[0]!r}'
        yield Finding('labels', message, 'add rows with the other label, unless they follow later')


def _count_groups(groups: collections.Counter[str], column: str) -> str:
    """Return the number of groups in words; rows without one have the group ''."""
    number = len(groups.keys() - {''})
    message = f'{number:,} value{"s"[: number != 1]} of {column!r} in these rows'
    return f'{message}; {count_rows(groups[""])} without one' if groups[''] else message


def _describe(path: str, columns: ColumnSettings) -> Iterator[Finding]:
    name = os.path.basename(path)
    with open(path, 'rb') as stream:
        described = formats.describe_table(stream, name, columns)
    if described:
        yield Finding('format', f'{name}: {described}')


def _encoding_hint(paths: list[str]) -> str:
    for path in filter(formats.has_text_rows, paths):
        with open(path, 'rb') as stream:
            encoding = find_encoding(stream, os.path.basename(path))
        if encoding:
            return encoding_hint(encoding)
    return ''


def _read_label(row: Record, rule: LabelRule) -> tuple[str, int | None]:
    """Return the label of a row as it is counted, and its value; None if it has no label."""
    if row.label is None:
        return '', None
    value = rule.value(row.label)
    if value is None:
        raise rule.unknown(row.label, row.where)
    return row.label if rule.listed else canonical_label(row.label), value


def _read_rows(
    source: DataSource, path: str, columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    with open(path, 'rb') as stream:
        if source.kind is SourceKind.IMDB_FOLDER:
            yield imdb.read_file(path, stream.read())
        else:
            yield from formats.read_records(stream, os.path.basename(path), columns, split)


CHECKS: Checks = {'data': _check_data}
