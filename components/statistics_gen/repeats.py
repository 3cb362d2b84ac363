"""Counts the texts that repeat, within a split and across splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common import features
from components.common.word_counts import rows_by_part
from components.readers.identity import digest, without_numbers, words_of

Digests: TypeAlias = npt.NDArray[np.uint64]

_DIGEST_BYTES = 8


class TextDigests:
    """Two digests of each text: equal texts share the first, nearly equal ones the second.

    Texts count as equal as they do for the split, see `components.readers.identity.words`.
    They count as nearly equal if numbers make no difference either. Two different texts
    among a billion have the same digest with probability 0.03.

    >>> digests = TextDigests()
    >>> digests.add([b'Seen 3 times.', b'seen: 3 times', b'Seen 4 times.'])
    >>> len(set(digests.exact().tolist())), len(set(digests.near().tolist()))
    (2, 1)
    """

    def __init__(self) -> None:
        self._exact: list[Digests] = []
        self._near: list[Digests] = []

    def add(self, texts: Iterable[bytes]) -> None:
        """Add texts, in UTF-8."""
        exact, near = [], []
        for text in texts:
            form = words_of(text)
            letters = without_numbers(form)
            key = digest(form)[:_DIGEST_BYTES]
            exact.append(key)
            near.append(key if letters == form else digest(letters)[:_DIGEST_BYTES])
        self._exact.append(np.frombuffer(b''.join(exact), np.uint64))
        self._near.append(np.frombuffer(b''.join(near), np.uint64))

    def merge(self, other: TextDigests) -> None:
        """Add the digests of another object."""
        self._exact += other._exact
        self._near += other._near

    def exact(self) -> Digests:
        """Return the first digest of each text, uint64 `[texts]`, in no order."""
        self._exact = [_join(self._exact)]
        return self._exact[0]

    def near(self) -> Digests:
        """Return the second digest of each text, uint64 `[texts]`, in no order."""
        self._near = [_join(self._near)]
        return self._near[0]

    def divide(self, parts: int) -> Iterator[TextDigests]:
        """Divide each kind into parts, so that equal digests share a part."""
        exact, near = self.exact(), self.near()
        divided = [rows_by_part(digests % np.uint64(parts), parts) for digests in (exact, near)]
        for rows_exact, rows_near in zip(*divided):
            part = TextDigests()
            part._exact.append(exact[rows_exact])
            part._near.append(near[rows_near])
            yield part


class Repeats(NamedTuple):
    """How the texts of a split repeat, or those of a part of it; see `SplitStatistics`."""

    duplicates: int
    shared: dict[str, int]
    seen: int

    def merge(self, other: Repeats) -> Repeats:
        """Add the counts of another part."""
        return Repeats(
            duplicates=self.duplicates + other.duplicates,
            shared={name: number + other.shared[name] for name, number in self.shared.items()},
            seen=self.seen + other.seen,
        )


def count_repeats(digests: Mapping[str, Digests]) -> dict[str, Repeats]:
    """Count by split how the texts repeat.

    >>> digests = {'train': np.array([1, 1, 2], np.uint64), 'test': np.array([2, 3], np.uint64)}
    >>> count_repeats(digests)['test']
    Repeats(duplicates=0, shared={'train': 1}, seen=1)

    Args:
        digests: By split, the digest of each text.
    """
    # One sort for all splits.
    distinct, numbers = np.unique(_join(list(digests.values())), return_inverse=True)
    ends = np.cumsum([len(of_split) for of_split in digests.values()])
    by_split = dict(zip(digests, np.split(numbers, ends[:-1])))
    present = {name: np.zeros(len(distinct), np.bool_) for name in digests}
    for name, of_split in by_split.items():
        present[name][of_split] = True
    found = {}
    for name, of_split in by_split.items():
        others = {other: mask[of_split] for other, mask in present.items() if other != name}
        seen = np.zeros(len(of_split), np.bool_)
        for learned in (features.TRAIN_SPLIT, features.VAL_SPLIT):
            seen |= others.get(learned, False)
        found[name] = Repeats(
            duplicates=len(of_split) - int(present[name].sum()),
            shared={other: int(mask.sum()) for other, mask in others.items()},
            seen=int(seen.sum()),
        )
    return found


def _join(digests: Sequence[Digests]) -> Digests:
    return np.concatenate([np.zeros(0, np.uint64), *digests])
