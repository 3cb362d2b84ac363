"""Decodes text files of any encoding, and finds the encoding of rows that are not UTF-8."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import re
from collections.abc import Iterable

# Where words consist of letters that are not ASCII: the share of their characters that are
# Hangul syllables, kana, ideographs or small Cyrillic letters, in the order of the trials.
_OTHER_SCRIPTS = (
    ('euc-kr', re.compile('[\uac00-\ud7a3]'), 0.9),
    ('shift_jis', re.compile('[\u3040-\u30ff]'), 0.3),
    ('windows-1251', re.compile('[\u0430-\u0451]'), 0.8),
    ('koi8-r', re.compile('[\u0430-\u0451]'), 0.8),
    ('gb18030', re.compile('[\u4e00-\u9fff\u3000-\u3002\uff00-\uff20]'), 0.9),
)
# Latin-1 decodes everything, so it comes last.
_WESTERN = ('windows-1252', 'latin-1')
_ROWS = 1_000
_HIGH, _PAIRS = re.compile(rb'[\x80-\xff]'), re.compile(rb'[\x80-\xff]{2,}')
_SURROGATE = re.compile('[\udc80-\udcff]')
_ERRORS = 'reviews.undecodable'
# Python's decoders of these two require a mark.
_MARKS = {
    'utf-16': (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    'utf-32': (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
# What a byte means depends on those before it, also in earlier lines.
_STATEFUL = ('iso2022', 'hz', 'utf-7')


def _replace(error: UnicodeError) -> tuple[str, int]:
    # A surrogate marks the row, as it does in UTF-8.
    assert isinstance(error, UnicodeDecodeError)
    return '\udc80', error.end


codecs.register_error(_ERRORS, _replace)


def errors_of(encoding: str) -> str:
    """Return the error handler that puts surrogates in place of bytes that cannot be decoded."""
    return 'surrogateescape' if encoding == 'utf-8' else _ERRORS


def is_utf8(text: str) -> bool:
    r"""Return whether a text has no surrogates, which stand for bytes that are no characters.

    >>> is_utf8('café'), is_utf8('caf\udce9')
    (True, False)
    """
    try:
        return text.isascii() or bool(text.encode('utf-8'))
    except UnicodeEncodeError:
        return False


def has_byte_lines(encoding: str) -> bool:
    """Return whether each byte 0x0A of a file is a line break.

    >>> has_byte_lines('cp1252'), has_byte_lines('utf-16-be'), has_byte_lines('cp500')
    (True, False, False)
    """
    return '\n'.encode(encoding) == b'\n' and not encoding.startswith(_STATEFUL)


def byte_order_mark(head: bytes, encoding: str) -> bytes:
    r"""Return the mark that a file begins with and that its codec would take for text.

    >>> byte_order_mark(b'\xff\xfea\0', 'utf-16-le')
    b'\xff\xfe'
    """
    mark = b''
    if encoding not in ('utf-16', 'utf-32', 'utf-8-sig'):
        with contextlib.suppress(UnicodeError):
            mark = '\ufeff'.encode(encoding)
    return mark if head.startswith(mark) else b''


def resolve(encoding: str, head: bytes) -> str:
    r"""Return the encoding of a file: its byte order, if it is UTF-16 or UTF-32 without a mark.

    >>> resolve('utf-16', b'\0a\0b'), resolve('utf-16', b'a\0b\0')
    ('utf-16-be', 'utf-16-le')
    """
    if encoding not in _MARKS or head.startswith(_MARKS[encoding]):
        return encoding
    return f'{encoding}-be' if head.startswith(b'\0') else f'{encoding}-le'


def suggest(rows: Iterable[str]) -> str:
    r"""Return the encoding that rows that are not UTF-8 probably have.

    >>> suggest(['A caf\udce9 in Paris'])
    'windows-1252'

    Args:
        rows: The rows, with surrogates for bytes that are not UTF-8.

    Returns:
        Its name; an empty string if there is no such row, or none of the candidates reads all.
    """
    bad = (row for row in rows if _SURROGATE.search(row))
    data = b''.join(row.encode('utf-8', 'surrogateescape') for row in itertools.islice(bad, _ROWS))
    high = len(_HIGH.findall(data))
    if not high:
        return ''
    # An accent or a quotation mark has ASCII around it.
    if sum(map(len, _PAIRS.findall(data))) > 0.6 * high:
        for encoding, common, share in _OTHER_SCRIPTS:
            with contextlib.suppress(UnicodeDecodeError):
                letters = [c for c in data.decode(encoding) if c >= '\x80']
                if len(common.findall(''.join(letters))) >= share * len(letters):
                    return encoding
    for encoding in _WESTERN:
        with contextlib.suppress(UnicodeDecodeError):
            data.decode(encoding)
            return encoding
    return ''


def encoding_hint(encoding: str) -> str:
    """Return the hint for rows that are not UTF-8, with the encoding that `suggest` found."""
    return f'pass --encoding {encoding}, which reads them' if encoding else ''
