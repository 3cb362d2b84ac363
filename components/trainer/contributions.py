"""Contributions of the words of a text to its logit."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# Number of words in the longest part of a text that a model treats as one.
_MAX_WORDS = 3


class Contributions(NamedTuple):
    """The logits of a batch as sums.

    The values of a text and its bias add up to its logit.

    Attributes:
        rows: int64 `[parts]`, the index of the text of each part.
        words: int64 `[parts, 3]`, the positions of its words in the text, ascending,
            and -1 if it has fewer.
        values: float32 `[parts]`, its addend in the logit.
        bias: float32 `[batch]`, the logit of a text without words.
    """

    rows: tf.Tensor
    words: tf.Tensor
    values: tf.Tensor
    bias: tf.Tensor

    def phrases(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Return the words of each part.

        Args:
            words: tf.string `[batch, (tokens)]`, the words of the same texts.

        Returns:
            tf.string `[parts]`, the words with a space between them.
        """
        there = self.words >= 0
        flat = tf.concat([words.values, ['']], 0)  # a lookup needs at least one element
        starts = tf.gather(words.row_starts(), self.rows)[:, tf.newaxis]
        spelled = tf.where(there, tf.gather(flat, tf.where(there, starts + self.words, 0)), '')
        pieces = [spelled[:, 0]]
        for word in range(1, _MAX_WORDS):
            pieces += [tf.where(there[:, word], ' ', ''), spelled[:, word]]
        return tf.strings.join(pieces)


def places(start: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
    """Return the positions of `length` words from `start`, see `Contributions.words`.

    >>> places(tf.constant([4, 0], tf.int64), 2).numpy().tolist()
    [[4, 5, -1], [0, 1, -1]]
    """
    steps = tf.range(_MAX_WORDS, dtype=tf.int64)
    lengths = tf.cast(length, tf.int64) * tf.ones_like(start)
    return tf.where(
        steps < lengths[:, tf.newaxis], start[:, tf.newaxis] + steps, tf.constant(-1, tf.int64)
    )
