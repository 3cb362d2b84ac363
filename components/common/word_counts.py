"""Counts words in columns, in parts that workers can merge one by one.

A worker merges the words of one part, which are those with the same hash. So no worker holds
all words of a billion texts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# The words of IMDB's 100,000 reviews, with the digests of the texts, take 12 MB.
_EXAMPLES_PER_PART = 1 << 17
# For each shard of a split, so many values are stored and named in records at most.
_MOST_PARTS = 512
_MIN_PENDING_ROWS = 1 << 18
_HASHED_ROWS = 1 << 16


class WordCounts(NamedTuple):
    """Distinct words and their occurrences; they can be pickled.

    Attributes:
        words: large_string or large_binary `[words]`.
        numbers: int64 `[words]`.
    """

    words: pa.Array
    numbers: npt.NDArray[np.int64]

    def where(self, mask: npt.NDArray[np.bool_]) -> WordCounts:
        """Return the words that a mask selects."""
        return WordCounts(self.words.filter(pa.array(mask)), self.numbers[mask])

    def take(self, rows: npt.NDArray[np.int64]) -> WordCounts:
        """Return the words of some rows, in their order."""
        return WordCounts(self.words.take(pa.array(rows)), self.numbers[rows])

    @property
    def total(self) -> int:
        """Number of words, repetitions included."""
        return int(self.numbers.sum())

    def most_frequent(self, number: int) -> WordCounts:
        """Return the most frequent words, and those that are as frequent as the last of them."""
        if len(self.numbers) <= number:
            return self
        # Sorting all words would take longer than counting them.
        return self.where(self.numbers >= np.partition(self.numbers, -number)[-number])

    def divide(self, parts: int) -> Iterator[WordCounts]:
        """Divide the words into parts by their hash, which is the same in each process.

        >>> words = pa.array(['good', 'bad', 'film'], pa.large_string())
        >>> counts = WordCounts(words, np.array([3, 1, 2]))
        >>> [part.words.to_pylist() for part in counts.divide(2)]
        [['good', 'film'], ['bad']]
        """
        if parts == 1:
            return iter([self])
        hashes = np.fromiter(self._hashes(), np.int64, len(self.words))
        return (self.take(rows) for rows in rows_by_part(hashes % parts, parts))

    def _hashes(self) -> Iterator[int]:
        for start in range(0, len(self.words), _HASHED_ROWS):
            words = self.words.slice(start, _HASHED_ROWS).cast(pa.large_binary())
            yield from map(zlib.crc32, words.to_numpy(zero_copy_only=False))


class WordCounter:
    """Adds up the occurrences of words; it can be pickled.

    >>> counter = WordCounter(pa.large_string())
    >>> for words in (['good', 'film'], ['good']):
    ...     found = pa.array(words, pa.large_string())
    ...     counter.add(WordCounts(found, np.ones(len(words), np.int64)))
    >>> counts = counter.counts()
    >>> counts.words.to_pylist(), counts.numbers.tolist()
    (['good', 'film'], [2, 1])

    Args:
        kind: Type of the words, large_string or large_binary.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._tables = [WordCounts(pa.array([], kind), np.zeros(0, np.int64))]
        self._rows = 0
        self._rows_merged = 0

    def add(self, counts: WordCounts) -> None:
        """Add words, each of them once or more often."""
        self._tables.append(counts)
        self._rows += len(counts.words)
        # Only when they have doubled, so that a word is added up a few times, not with each table.
        if self._rows > 2 * self._rows_merged + _MIN_PENDING_ROWS:
            self.counts()

    def counts(self) -> WordCounts:
        """Return the words, each once, in no order."""
        if len(self._tables) > 1:
            # Arrow's group_by takes four times as long.
            rows = pa.concat_arrays([counts.words for counts in self._tables]).dictionary_encode()
            sums = np.bincount(
                rows.indices.to_numpy(),
                # float64 is exact below 2 ** 53.
                np.concatenate([counts.numbers for counts in self._tables]),
                len(rows.dictionary),
            )
            self._tables = [WordCounts(rows.dictionary, sums.astype(np.int64))]
        self._rows = self._rows_merged = len(self._tables[0].words)
        return self._tables[0]

    def __getstate__(self) -> dict[str, Any]:
        self.counts()  # smaller than the tables
        return self.__dict__


def number_of_parts(examples: int) -> int:
    """Return how many parts the words of so many examples are divided into.

    >>> number_of_parts(100_000), number_of_parts(500_000), number_of_parts(1_000_000_000)
    (1, 4, 512)
    """
    return min(1 + examples // _EXAMPLES_PER_PART, _MOST_PARTS)


def rows_by_part(part_of_row: npt.NDArray[Any], parts: int) -> list[npt.NDArray[np.int64]]:
    """Return the numbers of the rows of each part.

    >>> [rows.tolist() for rows in rows_by_part(np.array([1, 0, 1, 3]), 4)]
    [[1], [0, 2], [], [3]]
    """
    rows = np.argsort(part_of_row, kind='stable')
    return np.split(rows, np.searchsorted(part_of_row[rows], np.arange(1, parts)))
