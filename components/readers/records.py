"""The records that readers return, and the rule for their splits."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from components.common import features
from components.readers.identity import digest, words_of

# Reasons of Rejects. Rows are counted by reason, so a reason names no details of a row.
EMPTY_TEXT = 'empty text'
NOT_UTF8 = 'not UTF-8'
NO_LABEL = 'no label'
NOT_JSON = 'not JSON'
NOT_AN_OBJECT = 'not a JSON object'
NOT_AN_EXAMPLE = 'not a tf.train.Example'
TOO_LONG = 'too long'
NO_FILE = 'not a file'
LEADS_OUT = 'link out of the folder'

# A value of a feature column.
Value: TypeAlias = str | int | float


class Record(NamedTuple):
    """A text.

    Attributes:
        text: The text, valid UTF-8, not blank.
        label: The label as the data spells it; None exactly if the split is `unsup`.
        split: `train`, `val`, `test` or `unsup` if the data names it, else None.
        where: File and line, for messages.
        features: The value of each feature column, None where there is none.
        group: What rows that must share a split have in common, empty if that is only the text.
    """

    text: str
    label: str | None
    split: str | None
    where: str
    features: tuple[Value | None, ...] = ()
    group: str = ''


class Reject(NamedTuple):
    """A row that cannot be used, with its file and line."""

    reason: str
    where: str


def not_encoded(encoding: str) -> str:
    """Return the reason to reject a row that is not of the encoding of its file.

    >>> not_encoded('utf-8'), not_encoded('cp1252')
    ('not UTF-8', 'not cp1252')
    """
    return NOT_UTF8 if encoding == 'utf-8' else f'not {encoding}'


def assign_split(
    text: str,
    split: str | None,
    *,
    test_percent: int,
    val_percent: int,
    split_train: bool,
    group: str = '',
) -> str:
    """Decide the split of a text, the same each time and on each machine.

    If the data does not name the split, texts that differ only in case, spaces, punctuation,
    symbols, mentions and links share one, so that no test text is trained on. If texts have a
    group, only the group counts.

    >>> assign_split('Never watch it', None, test_percent=20, val_percent=20, split_train=False)
    'test'

    Args:
        text: The text.
        split: The split that the data names, None if it names none.
        test_percent: Share of all texts for `test` if the data names no split.
        val_percent: Share of the training texts for `val`.
        split_train: Whether to split `train` into `train` and `val`, because the
            data names no `val`.
        group: The group that the text shares a split with, empty if it has none.

    Returns:
        `train`, `val`, `test` or `unsup`.
    """
    if split is not None and not (split == features.TRAIN_SPLIT and split_train):
        return split
    key = digest(group.encode() or words_of(text.encode()))
    # Two independent halves, so that val is a fair sample of the texts outside test.
    for_test, for_val = key[:8], key[8:]
    if split is None and int.from_bytes(for_test, 'big') % 100 < test_percent:
        return features.TEST_SPLIT
    if int.from_bytes(for_val, 'big') % 100 < val_percent:
        return features.VAL_SPLIT
    return features.TRAIN_SPLIT
