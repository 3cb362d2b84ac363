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
# A model takes ❤️ for ❤ and 👍🏽 for 👍: variation selectors only choose a glyph, and a score must
# not depend on the colour of somebody's skin. Without apostrophes, `don't` is one word.
_IGNORED = r"['\x{2019}\x{fe0e}\x{fe0f}\x{1f3fb}-\x{1f3ff}]"
# Addresses hardly ever occur twice, but whether a text has a link says something.
_LINK = r'https?://[^\s]*[a-z0-9/]'
# Without U+FFFD, which stands for invalid UTF-8 in a word, and with the blocks of emoji that are
# newer than the Unicode tables of TensorFlow.
_SYMBOL = r'(?:[^\P{S}\x{fffd}]|[\x{1f000}-\x{1faff}])'
# The words that need no spaces around them. The first alternative that matches counts. RE2 has no
# groups here, because finding them takes longer than finding the match.
_OWN_WORDS = '|'.join(
    (
        # Emoticons, in lower case: `:-)`, `;d`, `=/`, `<3`, `</3`, `(:`. There is none in `ftp://`.
        r'://|[:;=]-?(?:[()\[\]]+|[/\\|*]|[dpo]\b)|</?3\b|\(-?[:;]',
        # Mentions, but not the end of an e-mail address. A hashtag is two words: on public tweets,
        # accuracy is higher if the model recognizes its word without the `#`, too.
        r'\B@[a-z0-9_]+',
        # A key of a telephone.
        r'[0-9#*]\x{20e3}',
        # A run of ASCII punctuation (`...`, `?!`), which ends where an emoticon or a mention may
        # start.
        r'[:;<=@]*[!-/>?\[-`{-~]+|[:;<=@]+',
        # Stars in a row are a rating. A model that does not count words cannot tell `★★★☆☆` from
        # `★★★★☆` by single stars.
        r'[\x{2605}\x{2606}\x{2b50}]+',
        # A flag: two letters, or a black flag with the name of a region.
        r'[\x{1f1e6}-\x{1f1ff}]{2}',
        # Any other symbol or emoji, and emoji that a joiner makes one: 👨‍👩‍👧.
        rf'{_SYMBOL}[\x{{e0020}}-\x{{e007f}}]*(?:\x{{200d}}{_SYMBOL})*',
        # A mark beyond ASCII, or a letter of a script that has no spaces between words, so that
        # each letter counts as a word.
        r'[\p{P}\p{No}\x{2010}-\x{206f}\x{3001}-\x{303f}'
        r'\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]',
    )
)


def normalize(text: tf.Tensor, punctuation: Punctuation = 'drop') -> tf.Tensor:
    """Lower-case texts, remove line-break tags, and drop or split punctuation.

    Args:
        text: tf.string `[batch]`, UTF-8. Bytes that are not are replaced.
        punctuation: `drop` removes ASCII punctuation, so that `don't` becomes
            `dont` and `well-made` `wellmade`, as in Keras's TextVectorization.
            `split` removes only apostrophes; each run of other punctuation
            becomes a word, and so does each emoji, emoticon or other symbol,
            and each letter of scripts without spaces. Links become `http`.

    Returns:
        tf.string `[batch]`, letters of any script in lower case.

    >>> text = tf.constant(["It's GOOD!<br />Très bon..."])
    >>> normalize(text).numpy()[0].decode()
    'its good très bon'
    >>> normalize(text, 'split').numpy()[0].decode().split()
    ['its', 'good', '!', 'très', 'bon', '...']
    >>> normalize(tf.constant(['film😍😍 :-)']), 'split').numpy()[0].decode().split()
    ['film', '😍', '😍', ':-)']
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
    without_links = tf.strings.regex_replace(without_tags, _LINK, ' http ')
    joined = tf.strings.regex_replace(without_links, _IGNORED, '')
    return tf.strings.regex_replace(joined, _OWN_WORDS, r' \0 ')


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
