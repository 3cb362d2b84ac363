"""What parts of a text add to its logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

# Longest part of a text that a model looks at as one, in words.
MAX_WORDS = 3


class Contributions(NamedTuple):
    """A batch of logits, each taken apart into a sum.

    The values of a row and its bias add up to its logit.

    Attributes:
        rows: int64 `[parts]`: which text of the batch each part is in.
        words: int64 `[parts, 3]`: the places in the text of its words,
            ascending, and -1 where it has fewer.
        values: float32 `[parts]`: what it adds to the logit.
        bias: float32 `[batch]`: the logit of a text without a word.
    """

    rows: tf.Tensor
    words: tf.Tensor
    values: tf.Tensor
    bias: tf.Tensor

    def phrases(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Spell out the parts.

        Args:
            words: tf.string `[batch, (tokens)]`, of the same texts.

        Returns:
            tf.string `[parts]`: the words with a space between neighbours, and
            with ` … ` where the model leaves out what stands between.
        """
        there = self.words >= 0
        flat = tf.concat([words.values, ['']], 0)  # so that there is one to look up in any case
        starts = tf.gather(words.row_starts(), self.rows)[:, tf.newaxis]
        spelled = tf.where(there, tf.gather(flat, tf.where(there, starts + self.words, 0)), '')
        pieces = [spelled[:, 0]]
        for word in range(1, MAX_WORDS):
            neighbours = self.words[:, word] == self.words[:, word - 1] + 1
            gap = tf.where(neighbours, ' ', ' … ')
            pieces += [tf.where(there[:, word] & there[:, word - 1], gap, ''), spelled[:, word]]
        return tf.strings.join(pieces)


def places(start: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
    """Return int64 `[parts, 3]`: so many words from the start on, see `Contributions`.

    >>> places(tf.constant([4, 0], tf.int64), 2).numpy().tolist()
    [[4, 5, -1], [0, 1, -1]]
    """
    steps = tf.range(MAX_WORDS, dtype=tf.int64)
    lengths = tf.cast(length, tf.int64) * tf.ones_like(start)
    return tf.where(
        steps < lengths[:, tf.newaxis], start[:, tf.newaxis] + steps, tf.constant(-1, tf.int64)
    )


def add(parts: Sequence[Contributions]) -> Contributions:
    """Return the contributions to the sum of several models' logits."""
    rows, words, values, bias = zip(*parts)
    return Contributions(
        tf.concat(rows, 0), tf.concat(words, 0), tf.concat(values, 0), tf.add_n(bias)
    )
