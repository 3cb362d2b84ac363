"""Splits texts into words: pure `tf.strings` functions."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

Punctuation = Literal['drop', 'split']

# TensorFlow lower-cases by the rules of the process's language. Those of Turkish and Lithuanian
# differ for I and J, which are ASCII and lower-cased before, and for these letters (Unicode's
# SpecialCasing.txt); a model must read the same words wherever it is served.
_LOCALE_LETTERS = {'İ': 'i\u0307', 'Ì': 'ì', 'Í': 'í', 'Ĩ': 'ĩ', 'Į': 'į'}
# Spaces of any script except ASCII, which would make matching ten times slower. A NUL would end the
# text in TensorFlow's lower-casing.
_OTHER_SPACES = r'[\x00\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]'
_LINE_BREAK = r'<br\s*/?>'
# A run of ASCII punctuation (`...`, `?!`), a mark beyond ASCII, or a letter of a script that has
# no spaces between words, so that each letter counts as a word.
_MARK_OR_LETTER = (
    r'([[:punct:]]+|[\x{a1}-\x{a9}\x{ab}-\x{b4}\x{b6}-\x{b9}\x{bb}-\x{bf}'
    r'\x{2010}-\x{206f}\x{3001}-\x{303f}\x{ff01}-\x{ff0f}'
    r'\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])'
)


def normalize(text: tf.Tensor, punctuation: Punctuation = 'drop') -> tf.Tensor:
    """Lower-case texts, remove line-break tags, and drop or split punctuation.

    Args:
        text: tf.string `[batch]`, UTF-8. Bytes that are not are replaced.
        punctuation: `drop` removes ASCII punctuation, so that `don't` becomes
            `dont` and `well-made` `wellmade`, as in Keras's TextVectorization.
            `split` removes only apostrophes; each run of other punctuation
            becomes a word, and so does each letter of scripts without spaces.

    Returns:
        tf.string `[batch]`, letters of any script in lower case.

    >>> text = tf.constant(["It's GOOD!<br />Très bon..."])
    >>> normalize(text).numpy()[0].decode()
    'its good très bon'
    >>> normalize(text, 'split').numpy()[0].decode().split()
    ['its', 'good', '!', 'très', 'bon', '...']
    """
    lower = tf.strings.lower(text)
    lower = tf.strings.regex_replace(lower, _OTHER_SPACES, ' ')
    for upper, letters in _LOCALE_LETTERS.items():
        lower = tf.strings.regex_replace(lower, upper, letters)
    # This replaces invalid UTF-8, too.
    lower = tf.strings.lower(lower, encoding='utf-8')
    without_tags = tf.strings.regex_replace(lower, _LINE_BREAK, ' ')
    if punctuation == 'drop':
        return tf.strings.regex_replace(without_tags, r'[[:punct:]]', '')
    joined = tf.strings.regex_replace(without_tags, "['\u2019]", '')
    return tf.strings.regex_replace(joined, _MARK_OR_LETTER, r' \1 ')


def tokenize(text: tf.Tensor, punctuation: Punctuation = 'drop') -> tf.RaggedTensor:
    """Split texts into words.

    >>> tokenize(tf.constant(["It's GOOD!", ''])).to_list()
    [[b'its', b'good'], []]

    Args:
        text: tf.string `[batch]`, UTF-8.
        punctuation: See `normalize`.

    Returns:
        tf.RaggedTensor of tf.string `[batch, (tokens)]`.
    """
    return tf.strings.split(normalize(text, punctuation))
