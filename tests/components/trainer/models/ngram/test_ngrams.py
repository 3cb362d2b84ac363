from __future__ import annotations

import itertools
from collections import Counter

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.common import features
from components.trainer.dataset import LabelledTokens
from components.trainer.models.ngram import ngrams
from components.trainer.models.ngram.ngrams import (
    ID_BITS,
    MAX_NGRAM,
    NGramCounts,
    count_ngrams,
    find_ngrams,
    ngram_keys,
)

NGram = tuple[int, ...]

LARGEST = 2**ID_BITS - 1
LENGTHS = range(1, MAX_NGRAM + 1)
# Few small ids, so that n-grams recur and are cut by unknown words.
IDS = strategies.one_of(strategies.integers(1, 4), strategies.integers(1, LARGEST))
TEXTS = strategies.lists(strategies.lists(IDS, max_size=8), min_size=1, max_size=8)


def as_data(texts: list[list[int]]) -> LabelledTokens:
    return LabelledTokens.from_rows(texts, [0.0] * len(texts))


def list_ngrams(texts: list[list[int]], length: int) -> list[tuple[NGram, int]]:
    """List n-grams and the indices of their texts in plain Python."""
    return [
        (tuple(text[start : start + length]), number)
        for number, text in enumerate(texts)
        for start in range(len(text) - length + 1)
        if features.UNKNOWN_ID not in text[start : start + length]
    ]


def make_key(ngram: NGram) -> int:
    return sum(token << (ID_BITS * place) for place, token in enumerate(ngram))


def find_keys(texts: list[list[int]], length: int) -> list[tuple[int, int]]:
    keys, rows = ngram_keys(as_data(texts).ragged(), length)
    assert (keys.dtype, rows.dtype) == (tf.int64, tf.int64)
    return list(zip(keys.numpy().tolist(), rows.numpy().tolist()))


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(TEXTS, strategies.sampled_from(LENGTHS))
@hypothesis.example([[2, 3, 1, 4, 5, 6], [], [4], [2, 3]], 2)
@hypothesis.example([[1], [1, 1, 1, 1], [2], [3, 4]], 3)
@hypothesis.example([[], []], 1)
def test_ngrams_are_those_without_unknown_words_when_texts_are_random(
    texts: list[list[int]], length: int
) -> None:
    expected = list_ngrams(texts, length)
    assert find_keys(texts, length) == [(make_key(ngram), row) for ngram, row in expected]


def test_keys_are_positive_and_distinct_when_ids_are_the_largest() -> None:
    ids = (2, LARGEST - 1, LARGEST)
    all_ngrams = [ngram for length in LENGTHS for ngram in itertools.product(ids, repeat=length)]
    keys = [key for ngram in all_ngrams for key, _ in find_keys([list(ngram)], len(ngram))]
    assert min(keys) > 0
    assert len(set(keys)) == len(all_ngrams) == 3 + 9 + 27


def list_documents(
    texts: list[list[int]], max_ngram: int, min_documents: int
) -> dict[int, list[int]]:
    """Return the texts that have each n-gram, by key, in plain Python."""
    found = {pair for length in range(1, max_ngram + 1) for pair in list_ngrams(texts, length)}
    documents = Counter(ngram for ngram, _ in found)
    return {
        make_key(ngram): sorted(row for other, row in found if other == ngram)
        for ngram, count in documents.items()
        if count >= min_documents
    }


def by_key(counts: NGramCounts) -> dict[int, list[int]]:
    columns = counts.presence.tocsc()
    assert columns.shape[1] == len(counts.keys) == len(set(counts.keys.tolist()))
    return {
        number: sorted(columns.indices[columns.indptr[c] : columns.indptr[c + 1]].tolist())
        for c, number in enumerate(counts.keys.tolist())
    }


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(TEXTS, strategies.integers(1, 3), strategies.integers(1, 4))
@hypothesis.example([[2, 3, 2, 3, 2], [2], [4]], 1, 1)
@hypothesis.example([[2, 2, 2, 2], [3], [3, 4]], 1, 2)
@hypothesis.example([[2, 3], [4, 5]], 3, 2)
@hypothesis.example([[1, 1], [1], []], 3, 2)
def test_counts_equal_those_of_plain_python_when_texts_are_random(
    texts: list[list[int]], max_ngram: int, min_documents: int
) -> None:
    data = as_data(texts)
    counts = count_ngrams(data, max_ngram, min_documents)
    assert by_key(counts) == list_documents(texts, max_ngram, min_documents)
    assert counts.presence.shape == (len(texts), len(counts.keys))
    assert (counts.keys.dtype, counts.presence.dtype) == (np.int64, np.float32)
    assert set(counts.presence.data.tolist()) <= {1.0}
    assert (np.diff(counts.presence.sum(axis=0)) <= 0).all()
    if len(counts.keys):
        found = find_ngrams(data, counts.keys, max_ngram)
        np.testing.assert_array_equal(found.toarray(), counts.presence.toarray())


@pytest.mark.parametrize('keys_per_part', [1, 7, 50, 399, 400])
def test_counts_are_the_same_when_keys_are_sorted_in_parts(
    keys_per_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    texts = [rng.integers(1, 7, 20).tolist() for _ in range(20)]
    monkeypatch.setattr(ngrams, '_KEYS_PER_PART', keys_per_part)
    assert by_key(count_ngrams(as_data(texts), 3, 2)) == list_documents(texts, 3, 2)
