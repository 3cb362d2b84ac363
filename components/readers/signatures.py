"""Recognises files that are not the text that their names promise, by their first bytes."""

from __future__ import annotations

import codecs
import re

from components.common.errors import DataError

# Bytes of a file that `require_text` looks at.
HEAD_BYTES = 512

_UTF16, _UTF32 = 'UTF-16', 'UTF-32'
_MARKS = {
    codecs.BOM_UTF32_LE: _UTF32,
    codecs.BOM_UTF32_BE: _UTF32,
    codecs.BOM_UTF16_LE: _UTF16,
    codecs.BOM_UTF16_BE: _UTF16,
}
_AS_CSV = 'save the table as CSV'
_AS_ARROW = 'rename it to end in .arrow'
_AS_TEXT = 'save the texts in a text file or a table'
_EXTRACT = 'extract it, and pass the files in it'
_LOADER = 'load it with the library that wrote it, and save the table as CSV'
# What a file is, and what to do, by its first bytes.
_SIGNATURES = {
    b'\x1f\x8b': ('gzip', 'rename it to end in .gz'),
    b'BZh': ('a bzip2 file', 'decompress it: bunzip2 FILE'),
    b'\xfd7zXZ\0': ('an xz file', 'decompress it: unxz FILE'),
    b'\x28\xb5\x2f\xfd': ('a zstd file', 'decompress it: unzstd FILE'),
    b'7z\xbc\xaf\x27\x1c': ('a 7z archive', _EXTRACT),
    b'Rar!\x1a\x07': ('a RAR archive', _EXTRACT),
    b'PK\x03\x04': ('a zip or Excel file', _AS_CSV),
    b'PK\x05\x06': ('an empty zip file', _AS_CSV),
    b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1': ('an old Excel or Word file', _AS_CSV),
    b'PAR1': ('a Parquet file', 'rename it to end in .parquet'),
    b'ARROW1\0\0': ('an Arrow file', _AS_ARROW),
    b'\xff\xff\xff\xff': ('an Arrow stream', _AS_ARROW),
    b'ORC': ('an ORC file', _AS_CSV),
    b'Obj\x01': ('an Avro file', _AS_CSV),
    b'SQLite format 3\0': ('an SQLite database', 'export the table as CSV'),
    b'\x89HDF\r\n\x1a\n': ('an HDF5 file', _LOADER),
    b'\x93NUMPY': ('a NumPy file', _LOADER),
    b'%PDF-': ('a PDF', _AS_TEXT),
    b'{\\rtf': ('an RTF document', _AS_TEXT),
    b'\x89PNG\r\n\x1a\n': ('an image', _AS_TEXT),
    b'\xff\xd8\xff': ('an image', _AS_TEXT),
    b'GIF87a': ('an image', _AS_TEXT),
    b'GIF89a': ('an image', _AS_TEXT),
    b'\x7fELF': ('a program', _AS_TEXT),
}
# These are letters, too: what follows them in such a file is not text.
_LETTERS = {
    b'PAR1': re.compile(rb'PAR1[^ -~\s]'),
    b'BZh': re.compile(rb'BZh[1-9]1AY&SY'),
    b'ORC': re.compile(rb'ORC[^ -~\s]'),
}
_PICKLE = re.compile(rb'\x80[\x02-\x05][^ -~]')
_HTML = re.compile(rb'\s*<(!doctype html|html|head|body)[\s>]', re.IGNORECASE)
_ARRAY = re.compile(r'\s*\[\s*\{\s*"')
_TAR_AT = 257


def find_signature(head: bytes) -> tuple[str, str] | None:
    r"""Return what a file is that is not text, and what to do; None if it may be text.

    >>> find_signature(b'%PDF-1.7\n')
    ('a PDF', 'save the texts in a text file or a table')
    >>> find_signature(b'ORC reviews: fine')

    Args:
        head: The first bytes of the file, `HEAD_BYTES` of them if it has as many.
    """
    for sign, found in _SIGNATURES.items():
        if head.startswith(sign) and (sign not in _LETTERS or _LETTERS[sign].match(head)):
            return found
    if head[_TAR_AT:].startswith(b'ustar'):
        return 'a tar archive', _EXTRACT
    if _PICKLE.match(head):
        return 'a pickle', _LOADER
    if _HTML.match(head):
        return 'a web page (HTML)', 'download the file itself, not the page that shows it'
    return None


def require_text(head: bytes, name: str, encoding: str) -> None:
    """Check that the first bytes of a file can be text of an encoding.

    Args:
        head: The first bytes of the file, `HEAD_BYTES` of them if it has as many.
        name: The file's name, for the message.
        encoding: Name of the encoding, as `codecs.lookup` spells it.

    Raises:
        DataError: If they are those of another kind of file, or of another encoding.
    """
    wide = encoding.startswith(('utf-16', 'utf-32'))
    found = find_signature(head)
    if found is not None:
        what, hint = found
        if what == 'gzip' and name.lower().endswith('.gz'):
            hint = 'it is compressed twice: gunzip it once'
        raise DataError(f'{name} is {what}, expected {_spelled(encoding)} text', hint=hint)
    other = None if wide else _wide_encoding(head)
    if other is not None:
        raise DataError(
            f'{name} is {other}, expected {_spelled(encoding)} text',
            hint=f'pass --encoding {other.lower()}, or convert it: iconv -f {other} -t UTF-8',
        )
    if head.startswith(codecs.BOM_UTF8) and not encoding.startswith('utf-8'):
        raise DataError(
            f'{name} is UTF-8 with a byte order mark, expected {_spelled(encoding)} text',
            hint='leave out --encoding',
        )


def require_lines(head: str, name: str) -> None:
    """Check that a file with a text in each line is no JSON array.

    Raises:
        DataError: If it begins as an array of objects does.
    """
    if _ARRAY.match(head):
        raise DataError(
            f'{name} is a JSON array, expected a text in each line',
            hint='save it as JSON Lines: an object in each line, in a file that ends in .jsonl',
        )


def _spelled(encoding: str) -> str:
    return 'UTF-8' if encoding == 'utf-8' else encoding


def _wide_encoding(head: bytes) -> str | None:
    marked = next((what for mark, what in _MARKS.items() if head.startswith(mark)), None)
    four = head[:4]
    if marked is None and len(four) == 4 and (not any(four[::2]) or not any(four[1::2])):
        # Every second byte is 0, as in Latin letters without a byte order mark.
        return _UTF16 if any(four) else None
    return marked
