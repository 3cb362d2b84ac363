"""What data must be before anything is made of it, by its counts alone."""

from __future__ import annotations

import collections

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.summary import ExamplesSummary

REJECTS = 'rejects'


def summarize(counts: dict[tuple[str, str], int], columns: ColumnSettings) -> ExamplesSummary:
    """Turn counts into a summary, or say why this data cannot be used.

    Args:
        counts: By (`rejects`, reason) the rejected rows, by (split, value
            followed by spelling) the examples of a label, and by (`unsup`, '')
            those without.
        columns: Whose `max_rejected_percent` bounds the rejects.

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
    _require_few_rejects(rejected, labelled + unlabelled, columns)
    if not labelled:
        raise DataError('the data holds no labelled text', hint='check what --data names')
    _require_two_labels(spellings, columns)
    for split, (negative, positive) in splits.items():
        if not negative or not positive:
            have = f'{negative + positive:,}' if negative + positive else 'no'
            which = 'positive' if positive else 'negative'
            raise DataError(
                f'the split {split!r} has {have} examples'
                + (f', all {which}' if negative + positive else ''),
                hint='give it examples of both labels; it takes more rows, or another split',
            )
    return ExamplesSummary(
        splits={split: (counts[0], counts[1]) for split, counts in splits.items()},
        labels=(max(spellings[0], key=spellings[0].get), max(spellings[1], key=spellings[1].get)),  # type: ignore[arg-type]
        rejected=rejected,
        unlabelled=unlabelled,
    )


def _require_few_rejects(rejected: dict[str, int], read: int, columns: ColumnSettings) -> None:
    bad = sum(rejected.values())
    percent = 100 * bad / (read + bad) if bad else 0
    if percent > columns.max_rejected_percent:
        reasons = ', '.join(f'{count:,} {reason}' for reason, count in sorted(rejected.items()))
        raise DataError(
            f'{bad:,} of {read + bad:,} rows ({percent:.1f}%) cannot be used ({reasons}); '
            f'at most {columns.max_rejected_percent:g}% may be',
            hint='mend the data, or raise data.columns.max_rejected_percent',
        )


def _require_two_labels(
    spellings: tuple[collections.Counter[str], collections.Counter[str]], columns: ColumnSettings
) -> None:
    negative, positive = spellings
    seen = ', '.join(f'{name!r} ({n:,})' for name, n in (negative + positive).most_common(5))
    if not positive and columns.positive_label is not None:
        raise DataError(
            f'no row has the positive label {columns.positive_label!r}; the labels are {seen}',
            hint='say --positive-label VALUE',
        )
    if not negative or not positive:
        raise DataError(
            f'all labels are the same: {seen}', hint='a classifier needs examples of both labels'
        )
    if columns.positive_label is not None and len(negative) > 1:
        raise DataError(
            f'expected two label values, got {len(negative) + 1}: {seen}',
            hint='remove the rows with other labels, or merge them',
        )
