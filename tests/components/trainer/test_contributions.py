from __future__ import annotations

import tensorflow as tf

from components.trainer.contributions import Contributions, places


def contributions(rows: list[int], words: list[list[int]], bias: list[float]) -> Contributions:
    return Contributions(
        tf.constant(rows, tf.int64),
        tf.reshape(tf.constant(words, tf.int64), [-1, 3]),
        tf.range(len(rows), dtype=tf.float32),
        tf.constant(bias),
    )


def spell(parts: Contributions, words: list[list[str]]) -> list[str]:
    ragged = tf.ragged.constant(words, tf.string, ragged_rank=1)
    return [phrase.decode() for phrase in parts.phrases(ragged).numpy()]


def test_phrase_has_the_words_at_its_positions_when_texts_differ_in_length() -> None:
    parts = contributions([0, 0, 2], [[1, -1, -1], [0, 1, -1], [0, 1, 2]], [0.0] * 3)
    assert spell(parts, [['a', 'b'], [], ['c', 'd', 'é']]) == ['b', 'a b', 'c d é']


def test_there_are_no_phrases_when_no_text_has_a_word() -> None:
    assert spell(contributions([], [], [0.0]), [[]]) == []


def test_places_end_at_the_length_when_lengths_differ() -> None:
    found = places(tf.constant([5, 0, 2], tf.int64), tf.constant([1, 3, 2]))
    assert found.numpy().tolist() == [[5, -1, -1], [0, 1, 2], [2, 3, -1]]
