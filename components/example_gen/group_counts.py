"""Counts the groups of rows, and those that the data puts on both sides of the test, in a sample.

All groups may need more memory than a worker has. The sample has the groups with the smallest
digests, so that each worker samples the same ones.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterable, Mapping

from components.common import features
from components.readers.identity import digest

# Some 3 MB; the standard error of a share is 0.5% at most.
MAX_SAMPLED = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupCounts:
    """Counts of the groups that a column names.

    >>> GroupCounts(column='film', sampled=40, shared=8).describe()
    "40 values of 'film', 8 (20.0%) of them in test and in train or val"
    >>> GroupCounts(column='film', sampled=10_000, shared=0).describe()
    "over 10,000 values of 'film'"

    Attributes:
        column: The group column.
        sampled: Number of groups, at most `MAX_SAMPLED`.
        shared: Number of these that are in `test` and also in `train` or `val`. If a hash
            splits the rows, there are none.
    """

    column: str
    sampled: int
    shared: int

    def describe(self) -> str:
        """Return the counts in words."""
        sampled = self.sampled >= MAX_SAMPLED
        number = f'over {MAX_SAMPLED:,}' if sampled else f'{self.sampled:,}'
        what = f'{number} value{"s"[: self.sampled != 1]} of {self.column!r}'
        if not self.shared:
            return what
        share = f'{self.shared / self.sampled:.1%}'
        some = share if sampled else f'{self.shared:,} ({share})'
        return f'{what}, {some} of them in test and in train or val'


class GroupSample:
    """The splits of the groups with the smallest digests; it can be pickled.

    >>> sample = GroupSample()
    >>> for group, split in (('heat', 'train'), ('heat', 'test'), ('alien', 'test')):
    ...     sample.add(group, split)
    >>> sample.counts({})
    (2, 1)
    """

    def __init__(self) -> None:
        self._splits: dict[bytes, set[str]] = {}
        self._greatest: bytes | None = None  # of the sample, once groups were left out

    def add(self, group: str, split: str) -> None:
        """Add a row of a group."""
        self._add(digest(group.encode()), (split,))
        if len(self._splits) >= 2 * MAX_SAMPLED:
            self._shrink()

    def merge(self, other: GroupSample) -> None:
        """Add the rows of another sample."""
        for key, splits in other._splits.items():
            self._add(key, splits)
        self._shrink()

    def counts(self, decided: Mapping[str, str]) -> tuple[int, int]:
        """Return the numbers of groups, and of shared ones; see `GroupCounts`.

        Args:
            decided: Other names for some of the splits.
        """
        self._shrink()
        learning = {features.TRAIN_SPLIT, features.VAL_SPLIT}
        shared = 0
        for splits in self._splits.values():
            named = {decided.get(split, split) for split in splits}
            shared += features.TEST_SPLIT in named and bool(named & learning)
        return len(self._splits), shared

    def _add(self, key: bytes, splits: Iterable[str]) -> None:
        if self._greatest is None or key <= self._greatest:
            self._splits.setdefault(key, set()).update(splits)

    def _shrink(self) -> None:
        if len(self._splits) > MAX_SAMPLED:
            keys = heapq.nsmallest(MAX_SAMPLED, self._splits)
            self._splits = {key: self._splits[key] for key in keys}
            self._greatest = keys[-1]
