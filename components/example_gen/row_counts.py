"""Checks, by row counts, that no row was lost and that the data is fit for training."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from components.common import features
from components.common.errors import ComponentError, DataError
from components.common.settings import ColumnSettings
from components.example_gen.artifact_files import published_files, sizes_of
from components.example_gen.group_counts import GroupCounts
from components.example_gen.summary import ExamplesSummary
from components.readers.labels import require_two_labels, side_name
from components.readers.records import NOT_UTF8

REJECTS = 'rejects'
# Rows whose labels are listed to be left out.
DROPS = 'drops'


class NodeResult(NamedTuple):
    """Result of all bundles, in JSON types; `workers.BundleResult` explains the other fields.

    Attributes:
        counts: The two parts of each key of `BundleResult.counts`, and its number of rows.
        sizes: Bytes written, by path of the file.
        groups: The numbers of `GroupCounts`.
    """

    counts: Sequence[tuple[str, str, int]]
    fatal: Sequence[tuple[str, str]]
    files: int
    rows: int
    sizes: Mapping[str, int]
    groups: tuple[int, int] = (0, 0)
    formats: Mapping[str, int] = MappingProxyType({})


def require_complete(result: NodeResult, *, files: int, uri: str) -> None:
    """Check that the artifact at `uri` holds the rows of all `files`.

    The sizes of its files are compared with those that the workers report;
    counting their records would mean reading all data once more.

    Raises:
        ComponentError: If files or rows are missing, or the size of a file differs.
    """
    if result.files != files:
        raise _count_error('files', files, result.files)
    written = sum(count for *_, count in result.counts)
    if written != result.rows:
        raise _count_error('rows to be examples or rejects', result.rows, written)
    paths = published_files(uri)
    found = dict(zip(paths, sizes_of(paths)))
    for path in sorted(found.keys() | result.sizes.keys()):
        if found.get(path) != result.sizes.get(path):
            expected, got = result.sizes.get(path, 'no'), found.get(path, 'none')
            raise _count_error(f'bytes in {path}', expected, got)


def _count_error(what: str, expected: object, got: object) -> ComponentError:
    return ComponentError(
        f'ExampleGen: expected {expected} {what}, got {got}',
        hint='a worker died, or files changed during the run: run the same command again',
    )


def summarize(
    counts: dict[tuple[str, str], int],
    columns: ColumnSettings,
    find_encoding_hint: Callable[[], str] = str,
    groups: tuple[int, int] = (0, 0),
) -> ExamplesSummary:
    """Turn the counts of `workers.BundleResult` into a summary.

    >>> counts = {(split, label): 5 for split in ('train', 'val', 'test')
    ...           for label in ('0neg', '1pos')}
    >>> summarize(counts, ColumnSettings()).labels
    ('neg', 'pos')

    Args:
        counts: The number of rows by split, or the kind of rejects, and detail.
        columns: The settings of the data.
        find_encoding_hint: Returns the hint if too many rows are not UTF-8, or ''.
        groups: The numbers of `GroupCounts`.

    Raises:
        DataError: If there are too many rejects, or not two labels in each split.
    """
    rejected = {name: n for (kind, name), n in counts.items() if kind == REJECTS}
    spellings: tuple[collections.Counter[str], collections.Counter[str]] = (
        collections.Counter(),
        collections.Counter(),
    )
    splits = {split: [0, 0] for split in features.SPLITS}
    for (split, label), count in counts.items():
        if split in splits:
            value, spelling = int(label[0]), label[1:]
            spellings[value][spelling] += count
            splits[split][value] += count

    unlabelled = counts.get((features.UNLABELLED_SPLIT, ''), 0)
    labelled = sum(map(sum, splits.values()))
    _require_few_rejects(rejected, labelled + unlabelled, columns, find_encoding_hint)
    require_two_labels(*spellings, columns)
    grouped = None
    if columns.group_column is not None:
        grouped = GroupCounts(column=columns.group_column, sampled=groups[0], shared=groups[1])
    for split, (negative, positive) in splits.items():
        if not negative or not positive:
            total = negative + positive
            examples = f'{total:,} example{"s"[: total != 1]}' if total else 'no examples'
            which = f', all {"positive" if positive else "negative"}' if total else ''
            raise DataError(
                f'the split {split!r} has {examples}{which}',
                hint=_hint_of_few(grouped),
            )
    return ExamplesSummary(
        splits={split: (negative, positive) for split, (negative, positive) in splits.items()},
        labels=(side_name(spellings[0], 0), side_name(spellings[1], 1)),
        rejected=rejected,
        dropped={name: n for (kind, name), n in counts.items() if kind == DROPS},
        unlabelled=unlabelled,
        groups=grouped,
    )


def _hint_of_few(groups: GroupCounts | None) -> str:
    """Return what to do if a split lacks a label."""
    if groups is None:
        return 'each split needs examples of both labels: add rows, or change the split'
    return (
        f'each split needs examples of both labels, and there are {groups.describe()}, whose rows '
        'share a split: add rows with other values, or name the splits yourself with --split-column'
    )


def _require_few_rejects(
    rejected: dict[str, int],
    read: int,
    columns: ColumnSettings,
    find_encoding_hint: Callable[[], str],
) -> None:
    bad = sum(rejected.values())
    percent = 100 * bad / (read + bad) if bad else 0
    if percent > columns.max_rejected_percent:
        reasons = ', '.join(f'{count:,} {reason}' for reason, count in sorted(rejected.items()))
        raise DataError(
            f'{bad:,} of {read + bad:,} rows ({percent:.1f}%) cannot be used ({reasons}); '
            f'at most {columns.max_rejected_percent:g}% may be rejected',
            hint=(find_encoding_hint() if NOT_UTF8 in rejected else '')
            or 'correct the data, or raise data.columns.max_rejected_percent',
        )
