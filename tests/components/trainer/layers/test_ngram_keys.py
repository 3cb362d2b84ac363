from __future__ import annotations

import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.common import features
from components.trainer.layers.ngram_keys import ID_BITS, MAX_NGRAM, ngram_keys

LARGEST = 2**ID_BITS - 1
LENGTHS = range(1, MAX_NGRAM + 1)

ROWS = strategies.lists(
    strategies.lists(
        # Few small ids, so that n-grams recur and are cut by unknown words.
        strategies.one_of(strategies.integers(1, 4), strategies.integers(1, LARGEST)),
        max_size=8,
    ),
    max_size=6,
)


def ragged(rows: list[list[int]]) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_lengths(
        tf.constant([token for row in rows for token in row], tf.int32),
        tf.constant([len(row) for row in rows], tf.int64),
    )


def plain(rows: list[list[int]], length: int) -> list[tuple[tuple[int, ...], int]]:
    """List n-grams and their rows in the order of the text."""
    return [
        (tuple(row[start : start + length]), number)
        for number, row in enumerate(rows)
        for start in range(len(row) - length + 1)
        if features.UNKNOWN_ID not in row[start : start + length]
    ]


def words_of(key: int) -> tuple[int, ...]:
    """Split a key into ids, which are never 0."""
    ids = [(key >> (ID_BITS * place)) & LARGEST for place in range(MAX_NGRAM)]
    return tuple(token for token in ids if token)


def found(rows: list[list[int]], length: int) -> list[tuple[tuple[int, ...], int]]:
    keys, numbers = ngram_keys(ragged(rows), length)
    assert (keys.dtype, numbers.dtype) == (tf.int64, tf.int64)
    return [
        (words_of(key), row) for key, row in zip(keys.numpy().tolist(), numbers.numpy().tolist())
    ]


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(ROWS, strategies.sampled_from(LENGTHS))
def test_ngrams_equal_those_of_plain_python_when_rows_are_random(
    rows: list[list[int]], length: int
) -> None:
    assert found(rows, length) == plain(rows, length)


@pytest.mark.parametrize(
    ('rows', 'length', 'expected'),
    [
        # Unknown words.
        ([[2, 3, 1, 4, 5, 6]], 1, [((2,), 0), ((3,), 0), ((4,), 0), ((5,), 0), ((6,), 0)]),
        ([[2, 3, 1, 4, 5, 6]], 2, [((2, 3), 0), ((4, 5), 0), ((5, 6), 0)]),
        ([[2, 3, 1, 4, 5, 6]], 3, [((4, 5, 6), 0)]),
        # Rows.
        ([[2, 3], [], [4], [5, 6]], 2, [((2, 3), 0), ((5, 6), 3)]),
        ([[2, 3], [], [4], [5, 6]], 3, []),
        ([[2], [3, 4], []], 3, []),
        ([[2]], 2, []),
    ],
)
def test_ngram_is_omitted_when_it_would_contain_an_unknown_word_or_span_rows(
    rows: list[list[int]], length: int, expected: list[tuple[tuple[int, ...], int]]
) -> None:
    assert found(rows, length) == expected


@pytest.mark.parametrize('length', LENGTHS)
@pytest.mark.parametrize('rows', [[], [[]], [[], [], []], [[1]], [[1, 1, 1, 1]]], ids=repr)
def test_there_are_no_ngrams_when_no_word_is_known(rows: list[list[int]], length: int) -> None:
    assert found(rows, length) == []


def test_keys_are_positive_and_distinct_when_ids_are_the_largest() -> None:
    ids = (2, LARGEST - 1, LARGEST)
    ngrams = [ngram for length in LENGTHS for ngram in itertools.product(ids, repeat=length)]
    keys = np.concatenate([ngram_keys(ragged([list(n)]), len(n))[0].numpy() for n in ngrams])
    assert (keys > 0).all()
    assert len(set(keys.tolist())) == len(ngrams) == 3 + 9 + 27
    assert [words_of(key) for key in keys.tolist()] == ngrams


def test_keys_are_equal_when_computed_in_a_graph() -> None:
    rows = [[2, 3, 1, 4, 5, 6], [], [LARGEST, 2, 3]]
    for length in LENGTHS:
        graph = tf.function(
            lambda tokens, length=length: ngram_keys(tokens, length),
            input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)],
        )
        for of_graph, direct in zip(graph(ragged(rows)), ngram_keys(ragged(rows), length)):
            np.testing.assert_array_equal(of_graph, direct)
