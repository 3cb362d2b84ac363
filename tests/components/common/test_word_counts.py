from __future__ import annotations

import pickle
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from components.common import word_counts
from components.common.word_counts import WordCounter, WordCounts

KINDS = {'large_string': pa.large_string(), 'large_binary': pa.large_binary()}
WORDS = ['good', 'très', 'bien', '映画', 'x' * 5_000, "it's", '\x00', '👍']


def table(words: list[str], kind: pa.DataType) -> WordCounts:
    values = words if kind == pa.large_string() else [word.encode() for word in words]
    return WordCounts(pa.array(values, kind), np.ones(len(words), np.int64))


def as_counter(counts: WordCounts) -> Counter[str]:
    words = [w.decode() if isinstance(w, bytes) else w for w in counts.words.to_pylist()]
    assert len(set(words)) == len(words)
    return Counter(dict(zip(words, counts.numbers.tolist())))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('parts', [1, 2, 7, 100])
def test_counts_are_equal_when_tables_are_divided_and_merged(kind: str, parts: int) -> None:
    chance = random.Random(parts)
    words = chance.choices([*WORDS, *map(str, range(500))], k=3_000)
    merged = [WordCounter(KINDS[kind]) for _ in range(parts)]
    for start in range(0, len(words), 700):
        counter = WordCounter(KINDS[kind])
        for first in range(start, min(start + 700, len(words)), 100):
            counter.add(table(words[first : first + 100], KINDS[kind]))
        divided = list(pickle.loads(pickle.dumps(counter)).counts().divide(parts))
        assert len(divided) == parts
        for whole, part in zip(merged, divided):
            whole.add(pickle.loads(pickle.dumps(part)))
    found = [as_counter(part.counts()) for part in merged]
    # A word in two parts would be there twice.
    assert sum(map(len, found)) == len(set(words))
    assert sum(found, Counter()) == Counter(words)


def test_tables_stay_small_when_they_repeat_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_counts, '_MIN_PENDING_ROWS', 10)
    counter = WordCounter(pa.large_string())
    most = 0
    for _ in range(200):
        counter.add(table(['one', 'two', 'three'], pa.large_string()))
        most = max(most, sum(len(counts.words) for counts in counter._tables))
    assert most <= 2 * 3 + 10
    assert counter.counts().numbers.tolist() == [200, 200, 200]


@pytest.mark.parametrize(
    ('number', 'expected'),
    [(1, {'c'}), (2, {'a', 'b', 'c'}), (3, {'a', 'b', 'c'}), (9, set('abcd'))],
)
def test_words_as_frequent_as_the_last_are_returned_with_the_most_frequent(
    number: int, expected: set[str]
) -> None:
    counts = WordCounts(pa.array(list('abcd')), np.array([2, 2, 3, 1]))
    assert set(counts.most_frequent(number).words.to_pylist()) == expected
