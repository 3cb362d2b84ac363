from __future__ import annotations

from collections import Counter

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from components.common import features
from components.trainer.dataset import LabelledTokens
from components.trainer.learning import ngram_counts
from components.trainer.learning.ngram_counts import NGramCounts, count_ngrams

NGram = tuple[int, ...]

TEXTS = strategies.lists(
    strategies.lists(strategies.integers(1, 5), max_size=8), min_size=1, max_size=8
)


def count(texts: list[list[int]], max_ngram: int, min_documents: int) -> NGramCounts:
    data = LabelledTokens.from_rows(texts, [0.0] * len(texts))
    return count_ngrams(data, max_ngram, min_documents)


def ngrams(text: list[int], max_ngram: int) -> set[NGram]:
    return {
        tuple(text[start : start + length])
        for length in range(1, max_ngram + 1)
        for start in range(len(text) - length + 1)
        if features.UNKNOWN_ID not in text[start : start + length]
    }


def key(ngram: NGram) -> int:
    return sum(token << (20 * place) for place, token in enumerate(ngram))


def plain(texts: list[list[int]], max_ngram: int, min_documents: int) -> dict[int, list[int]]:
    """Return the texts that have each n-gram, by key."""
    documents = Counter(ngram for text in texts for ngram in ngrams(text, max_ngram))
    return {
        key(ngram): [number for number, t in enumerate(texts) if ngram in ngrams(t, max_ngram)]
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
def test_counts_equal_those_of_plain_python_when_texts_are_random(
    texts: list[list[int]], max_ngram: int, min_documents: int
) -> None:
    counts = count(texts, max_ngram, min_documents)
    assert by_key(counts) == plain(texts, max_ngram, min_documents)
    assert counts.presence.shape == (len(texts), len(counts.keys))
    assert counts.presence.dtype == np.float32
    assert set(counts.presence.data.tolist()) <= {1.0}


@pytest.mark.parametrize('keys_per_part', [1, 7, 50, 399, 400])
def test_counts_are_the_same_when_keys_are_sorted_in_parts(
    keys_per_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    texts = [rng.integers(1, 7, 20).tolist() for _ in range(20)]
    monkeypatch.setattr(ngram_counts, '_KEYS_PER_PART', keys_per_part)
    assert by_key(count(texts, 3, 2)) == plain(texts, 3, 2)


def test_ngram_is_left_out_when_one_text_repeats_it() -> None:
    counts = count([[2, 2, 2, 2], [3], [3, 4]], 1, 2)
    assert by_key(counts) == {3: [1, 2]}


def test_presence_is_one_when_a_text_repeats_an_ngram() -> None:
    counts = count([[2, 3, 2, 3, 2], [2], [4]], 1, 1)
    order = np.argsort(counts.keys)
    assert counts.keys[order].tolist() == [2, 3, 4]
    assert counts.presence.toarray()[:, order].tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    'texts', [[[2, 3], [4, 5]], [[1, 1], [1]], [[], []], [[2]]], ids=['rare', 'unknown', 'empty', 1]
)
def test_there_are_no_ngrams_when_none_is_in_enough_texts(texts: list[list[int]]) -> None:
    counts = count(texts, 3, 2)
    assert counts.keys.tolist() == []
    assert counts.keys.dtype == np.int64
    assert counts.presence.shape == (len(texts), 0)


def test_order_of_ngrams_is_the_same_when_counted_again() -> None:
    rng = np.random.default_rng(4)
    texts = [rng.integers(1, 30, 50).tolist() for _ in range(50)]
    first, second = (count(texts, 3, 2) for _ in range(2))
    np.testing.assert_array_equal(first.keys, second.keys)
    np.testing.assert_array_equal(first.presence.indices, second.presence.indices)
