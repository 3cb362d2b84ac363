"""The values of labels: which ones are positive, negative, or left out."""

from __future__ import annotations

from collections.abc import Mapping

from components.common.errors import DataError
from components.common.settings import ColumnSettings, canonical_label

# In place of 0 or 1: the row of this label is left out.
DROPPED = -1

_POSITIVE = frozenset({'1', 'pos', 'positive', 'true', 'yes'})
_NEGATIVE = frozenset({'0', '-1', 'neg', 'negative', 'false', 'no'})
_LISTS_HINT = (
    'name the values: --positive-label VALUE, --negative-label VALUE, and --drop-label VALUE for '
    'rows to leave out; each is repeatable'
)


class LabelRule:
    """Maps the labels of the data to 0 and 1.

    >>> rule = LabelRule(ColumnSettings(labels={'positive': [4, 5], 'negative': [1, 2],
    ...                                         'drop': [3]}))
    >>> rule.value('5.0'), rule.value('1'), rule.value('3'), rule.value('6')
    (1, 0, -1, None)

    Args:
        columns: The lists of labels. Without lists, labels of the usual pairs are known. If only
            the positive or only the negative ones are listed, all others are of the other side.
    """

    def __init__(self, columns: ColumnSettings) -> None:
        positive, negative = columns.positive_labels, columns.labels.negative
        self.listed = bool(positive or negative)
        self._other: int | None = None
        if self.listed:
            self._other = None if positive and negative else int(not positive)
        else:
            positive, negative = tuple(_POSITIVE), tuple(_NEGATIVE)
        self._values: dict[str, int | None] = {
            canonical_label(label): value
            for value, labels in ((1, positive), (0, negative), (DROPPED, columns.labels.drop))
            for label in labels
        }

    def value(self, label: str) -> int | None:
        """Return 1 for positive, 0 for negative, DROPPED, or None if the label is not known.

        Args:
            label: The label as the data spells it.
        """
        return self._values.get(canonical_label(label), self._other)

    def unknown(self, label: str, where: str) -> DataError:
        """Return the error for a label whose value is not known."""
        shown = repr(label if len(label) <= 100 else f'{label[:100]}…')
        if self.listed:
            return DataError(f'{where}: the label {shown} is in no list', hint=_LISTS_HINT)
        return DataError(
            f'{where}: expected a label of a known pair (pos/neg, positive/negative, 1/0, '
            f'true/false, yes/no), got {shown}',
            hint='pass --positive-label VALUE; if there are more than two values, name all of '
            'them with --positive-label, --negative-label and --drop-label',
        )


def require_two_labels(
    negative: Mapping[str, int],
    positive: Mapping[str, int],
    columns: ColumnSettings,
    *,
    complete: bool = True,
) -> None:
    """Check that the labels of the data are the two sides of one question.

    Args:
        negative: Number of rows by spelling of the negative labels.
        positive: The same for the positive ones.
        columns: The lists of labels.
        complete: Whether these are the rows of all data; otherwise one side may be missing.

    Raises:
        DataError: If a side has no rows, or if labels that are not listed have more values
            than they should.
    """
    counts = {**negative, **positive}
    if complete and not counts:
        raise DataError('the data holds no labelled text', hint='check the path given by --data')
    seen = ', '.join(
        f'{name[:40]!r} ({number:,})'
        for name, number in sorted(counts.items(), key=lambda pair: -pair[1])[:5]
    )
    listed = columns.positive_labels, columns.labels.negative
    if complete and not positive and columns.positive_labels:
        names = ' or '.join(map(repr, columns.positive_labels))
        raise DataError(
            f'no row has the positive label {names}; the labels are {seen}',
            hint='pass --positive-label VALUE',
        )
    if complete and (not negative or not positive):
        raise DataError(
            f'all labels are the same: {seen}',
            hint='a classifier needs examples of both labels: add rows, or check --label-column',
        )
    values = {canonical_label(name) for name in counts}
    sides = [
        {canonical_label(name) for name in side}
        for side, names in zip((positive, negative), listed)
        if not names
    ]
    if (len(values) > 2 and not any(listed)) or (any(listed) and any(len(s) > 1 for s in sides)):
        raise DataError(f'expected two label values, got {len(values)}: {seen}', hint=_LISTS_HINT)


def side_name(spellings: Mapping[str, int], value: int) -> str:
    """Return the name of a side: its most frequent spelling, if it has one value.

    >>> side_name({'Spam': 3, 'spam': 1}, 1), side_name({'4': 3, '5': 1}, 1)
    ('Spam', 'positive')
    """
    if len({canonical_label(name) for name in spellings}) > 1:
        return 'positive' if value else 'negative'
    return max(spellings, key=lambda name: spellings[name])
