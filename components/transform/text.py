"""From a text to its words: pure `tf.strings` functions."""

from __future__ import annotations

import tensorflow as tf

# TensorFlow lower-cases by the rules of the language that the process runs in. Turkish and
# Lithuanian ones differ for I and J, which are ASCII and done before, and for these letters
# (Unicode's SpecialCasing.txt); a model must read the same words wherever it is served.
_LOCALE_LETTERS = {'İ': 'i\u0307', 'Ì': 'ì', 'Í': 'í', 'Ĩ': 'ĩ', 'Į': 'į'}


def normalize(text: tf.Tensor) -> tf.Tensor:
    """Lower-case texts, and take out line-break tags and ASCII punctuation.

    Args:
        text: tf.string `[batch]`, UTF-8. What is not valid UTF-8 is replaced.

    Returns:
        tf.string `[batch]`: letters of any script in lower case, and all else
        as it was. An apostrophe leaves no gap: `don't` becomes `dont`.

    >>> normalize(tf.constant(["It's GOOD!<br />Très bon."])).numpy()[0].decode()
    'its good très bon'
    """
    text = tf.strings.unicode_transcode(text, 'UTF-8', 'UTF-8', errors='replace')
    lower = tf.strings.lower(text)
    # Spaces of any script part words; a NUL would end the text in the lower-casing below.
    lower = tf.strings.regex_replace(lower, r'[\x00\p{Z}]', ' ')
    for upper, letters in _LOCALE_LETTERS.items():
        lower = tf.strings.regex_replace(lower, upper, letters)
    lower = tf.strings.lower(lower, encoding='utf-8')
    without_tags = tf.strings.regex_replace(lower, r'<br\s*/?>', ' ')
    return tf.strings.regex_replace(without_tags, r'[[:punct:]]', '')


def tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Split texts into words.

    Args:
        text: tf.string `[batch]`, UTF-8.

    Returns:
        tf.RaggedTensor of tf.string `[batch, (tokens)]`; a row without a word
        is empty.
    """
    return tf.strings.split(normalize(text))
