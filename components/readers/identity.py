"""Decides which texts count as equal, for the split, the count of duplicates and the gate.

A model that has read a text knows all texts that differ from it only in case, white space or
line breaks, and nearly knows those that differ only in punctuation, or the names and links of a
tweet. If one of them is in `train` and another one in `test`, the test is no test.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_DIGEST_BYTES = 16
_ASCII = bytes(range(0x80))
_NOT_WORDS = bytes(code for code in _ASCII if not chr(code).isalnum())
_LOWER = bytes(range(0x100)).lower()
# Lower case, and a space for each space and control character.
_SPACED = bytes(0x20 if code <= 0x20 or code == 0x7F else code for code in range(0x100)).lower()
# The other spaces and control characters.
_SPACE = re.compile(r'[\s\x80-\x9f]')
# Characters that nobody sees, such as the zero-width space and the selector of emoji variants.
_INVISIBLE = re.compile(
    r'[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e'
    r'\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]'
)
_NOT_WORD = re.compile(r'[\W_]')
_LINE_BREAK = re.compile(r'<br ?/?>')
# The same before white space is replaced.
_RAW_LINE_BREAK = re.compile(rb'<br[\x00-\x20\x7f]*/?>', re.IGNORECASE)
_ASCII_DIGITS = b'0123456789'
_DIGIT = re.compile(r'\d')
_MENTION_OR_LINK = re.compile(r'@\w+|(?:https?://|www\.)\S+')
# Above it, one pass of a regular expression is faster than one for each character.
_MAX_REPLACED = 16


def normalize(text: str) -> str:
    r"""Return the form that texts have in common if they count as equal.

    It is NFKC and case-folded, line-break tags are spaces, white space and control
    characters are single spaces between words, and there are no invisible characters.

    >>> normalize('Très  BON!<br />'), normalize(' tre\u0300s bon\u200b!\n')
    ('très bon!', 'très bon!')

    Args:
        text: Any text.
    """
    data = text.encode('utf-8', 'surrogatepass') if text.isascii() else _fold(text)
    data = data.translate(_SPACED)
    if b'<' in data:
        data = _collapse(data)
        folded = data.decode('utf-8', 'surrogatepass')
        data = _LINE_BREAK.sub(' ', folded).encode('utf-8', 'surrogatepass')
    return _collapse(data).decode('utf-8', 'surrogatepass').strip(' ')


def words(form: str) -> str:
    """Return the form that texts have in common if they share a split.

    These are the letters and numbers of the text, without spaces, punctuation, symbols,
    mentions (`@name`) and links. A text without any is returned as it is, so that not all
    emoji are one text. Numbers stay: without them, all of `review 1`, `review 2`, ... would be
    on one side, and a small table might have no test split.

    >>> words('@anna won 5:0! https://a.example/b'), words('😀!')
    ('won50', '😀!')

    Args:
        form: The text, normalized by `normalize`.
    """
    text = form
    if '@' in form or (':' in form and '://' in form) or 'www.' in form:
        text = _MENTION_OR_LINK.sub('', form)
    return _remove(text, _NOT_WORDS, _NOT_WORD) or form


def words_of(text: bytes) -> bytes:
    """Return `words(normalize(text))`, faster for most texts in ASCII.

    >>> words_of(b'Never<br />AGAIN, 10 times!')
    b'neveragain10times'

    Args:
        text: UTF-8.

    Returns:
        UTF-8.
    """
    # One search for a byte takes a quarter of the time of one for several.
    if text.isascii() and b'@' not in text and (b':' not in text or b'://' not in text):
        plain = text
        if b'<' in text:
            # Not by nothing, because the parts may be a tag together.
            plain = text.replace(b'<br />', b'-')
            plain = _RAW_LINE_BREAK.sub(b'-', plain) if b'<' in plain else plain
        left = plain.translate(_LOWER, _NOT_WORDS)
        if left and (b'www' not in left or b'www.' not in text.lower()):
            return left
    form = words(normalize(text.decode('utf-8', 'replace')))
    return form.encode('utf-8', 'surrogatepass')


def without_numbers(form: bytes) -> bytes:
    """Return the form that texts have in common if they are nearly equal: without numbers.

    A text that has no letters is returned as it is.

    >>> without_numbers(b'seen10timesin1999'), without_numbers(b'1010')
    (b'seentimesin', b'1010')

    Args:
        form: What `words_of` returns.
    """
    left = form.translate(None, _ASCII_DIGITS)
    if not left.isascii():
        text = _remove(form.decode('utf-8', 'surrogatepass'), _ASCII_DIGITS, _DIGIT)
        left = text.encode('utf-8', 'surrogatepass')
    return left or form


def digest(form: bytes) -> bytes:
    """Return 16 bytes that are the same for equal forms, on each machine and in each version.

    >>> digest(b'neveragain').hex()
    '1359dd5a8087ce251c1fae9323e14674'

    Args:
        form: What `words_of` returns, or another text in UTF-8.
    """
    return hashlib.blake2b(form, digest_size=_DIGEST_BYTES).digest()


def _fold(text: str) -> bytes:
    once = unicodedata.normalize('NFKC', text).casefold()
    folded = unicodedata.normalize('NFKC', once)
    if folded != once:
        folded = folded.casefold()
    others = _beyond_ascii(folded)
    folded = _replace(folded, _SPACE, others, ' ')
    return _replace(folded, _INVISIBLE, others, '').encode('utf-8', 'surrogatepass')


def _collapse(data: bytes) -> bytes:
    while b'  ' in data:
        data = data.replace(b'  ', b' ')
    return data


def _remove(text: str, ascii_characters: bytes, others: re.Pattern[str]) -> str:
    data = text.encode('utf-8', 'surrogatepass').translate(None, ascii_characters)
    left = data.decode('utf-8', 'surrogatepass')
    return left if left.isascii() else _replace(left, others, _beyond_ascii(left), '')


def _beyond_ascii(text: str) -> str:
    data = text.encode('utf-8', 'surrogatepass').translate(None, _ASCII)
    return data.decode('utf-8', 'surrogatepass')


def _replace(text: str, pattern: re.Pattern[str], others: str, by: str) -> str:
    """Replace characters beyond ASCII, which a pattern of one character finds in `others`."""
    # A regular expression takes 25 ns for each character, so it reads the few of these.
    found = set(pattern.findall(others))
    if len(found) > _MAX_REPLACED:
        # It may also match in ASCII, where the caller has the same replaced.
        return pattern.sub(by, text)
    for character in found:
        text = text.replace(character, by)
    return text
