"""Parses the headers of a tar archive, one member at a time, and trusts none.

Python's `tarfile` is slower, and accepts headers made to do harm: extended ones of
any length, hundreds before one file, sparse files of a few bytes that unpack to
terabytes, negative sizes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from tarfile import (
    AREGTYPE,
    CONTTYPE,
    DIRTYPE,
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    REGTYPE,
    SOLARIS_XHDTYPE,
    SUPPORTED_TYPES,
    XGLTYPE,
    XHDTYPE,
    ReadError,
)
from typing import TypeAlias

BLOCK_BYTES = 512

_FILES = (REGTYPE, AREGTYPE, CONTTYPE)
_EXTENDED = (GNUTYPE_LONGNAME, GNUTYPE_LONGLINK, XHDTYPE, XGLTYPE, SOLARIS_XHDTYPE)
# Names have up to 4 KiB; no other content is needed here.
_MAX_EXTENDED_BYTES = 1 << 16
_ASCII = bytes(range(128))
_ADLER_BASE = 65_521
_PAX_RECORD = re.compile(rb'(\d{1,6}) ([^=\n]+)=')

# The path, with surrogates for bytes that are not UTF-8; the bytes of the content after the header,
# without padding; and whether it is the content of a file.
Header: TypeAlias = tuple[str, int, bool]


def plain_header(block: bytes) -> Header | None:
    """Parse the header of an ordinary file or folder, fast; return None for any other."""
    # A byte at 345 begins the first part of a long name.
    if len(block) < BLOCK_BYTES or block[257:262] != b'ustar' or block[345]:
        return None
    kind = block[156:157]
    checksum_digits, size_digits = block[148:156].strip(b'\0 '), block[124:136].rstrip(b'\0 ')
    if kind not in (REGTYPE, DIRTYPE) or not size_digits.isdigit():
        return None
    try:
        checksum, size = int(checksum_digits, 8), int(size_digits, 8)
    except ValueError:
        return None
    # The checksum is the sum of all bytes, with spaces in its own place. The low half of an
    # Adler checksum is 1 plus the sum of all bytes, and the only such sum that C computes.
    adler = zlib.adler32(block[156:], zlib.adler32(block[:148])) & 0xFFFF
    if adler != (checksum - 8 * ord(' ') + 1) % _ADLER_BASE:
        return None
    name = block[:100].partition(b'\0')[0].decode('utf-8', 'surrogateescape')
    return (name, size, True) if kind == REGTYPE else (name.rstrip('/'), 0, False)


def any_header(block: bytes, read: Callable[[int], bytes]) -> Header:
    """Parse any header, and the extended headers before it.

    `read` returns the bytes after `block`, fewer than its argument at the end.

    Raises:
        tarfile.ReadError: If it is damaged or cut off, is that of a sparse file,
            or has an extended header of more than 64 KiB.
    """
    # Of several extended headers before a member, the first one counts.
    name: str | None = None
    size: int | None = None
    while (kind := _checked_kind(block)) in _EXTENDED:
        content = _extended(block, read)
        if kind == GNUTYPE_LONGNAME and name is None:
            name = _text(content)
        elif kind not in (GNUTYPE_LONGNAME, GNUTYPE_LONGLINK):
            path, pax_size = _pax_fields(content)
            if kind == XGLTYPE and (path, pax_size) != (None, None):
                raise ReadError('a global header with the name or size of a file')
            name = path if name is None else name
            size = pax_size if size is None else size
        block = read(BLOCK_BYTES)
    if kind == GNUTYPE_SPARSE:
        raise _sparse()
    own_name = _own_name(block)
    # As in the oldest format.
    is_folder = kind == DIRTYPE or (kind == AREGTYPE and own_name.endswith('/'))
    is_file = kind in _FILES and not is_folder
    name = own_name if name is None else name
    if not is_file and kind in SUPPORTED_TYPES:
        return name.rstrip('/') if is_folder else name, 0, False
    return name, _number(block[124:136]) if size is None else size, is_file


def _checked_kind(block: bytes) -> bytes:
    if len(block) < BLOCK_BYTES:
        raise ReadError('unexpected end of data')
    counted = block[:148] + b' ' * 8 + block[156:]
    unsigned = sum(counted)
    # Some old programs counted signed bytes.
    signed = unsigned - 256 * len(counted.translate(None, _ASCII))
    if _number(block[148:156]) not in (unsigned, signed):
        raise ReadError('bad checksum')
    return block[156:157]


def _extended(block: bytes, read: Callable[[int], bytes]) -> bytes:
    size = _number(block[124:136])
    if size > _MAX_EXTENDED_BYTES:
        raise ReadError(f'an extended header of {size:,} bytes')
    padded = -size % BLOCK_BYTES + size
    content = read(padded)
    if len(content) < padded:
        raise ReadError('unexpected end of data')
    # Its text ends with a NUL, whatever its size.
    return content


def _pax_fields(content: bytes) -> tuple[str | None, int | None]:
    """Return the name and the size of a file in a pax header, None if it has none."""
    path: str | None = None
    size: int | None = None
    start = 0
    while start < len(content) and content[start]:
        record = _PAX_RECORD.match(content, start)
        end = start + int(record[1]) if record else 0
        if record is None or content[end - 1 : end] != b'\n' or record.end() >= end:
            raise ReadError('a bad pax header')
        value = content[record.end() : end - 1]
        if record[2].startswith(b'GNU.sparse.'):
            raise _sparse()
        if record[2] == b'path':
            path = value.decode('utf-8', 'surrogateescape').rstrip('/')
        elif record[2] == b'size':
            size = _decimal(value)
        start = end
    return path, size


def _own_name(block: bytes) -> str:
    name, prefix = _text(block[:100]), _text(block[345:500])
    return f'{prefix}/{name}' if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b'\0')[0].decode('utf-8', 'surrogateescape')


def _number(field: bytes) -> int:
    if field[0] == 0o200:
        return int.from_bytes(field[1:], 'big')
    digits = field.partition(b'\0')[0].strip() or b'0'
    if not digits.isdigit() or b'8' in digits or b'9' in digits:
        raise ReadError('a header with a bad number')
    return int(digits, 8)


def _decimal(digits: bytes) -> int:
    # Larger numbers exceed any disk, and the digits that Python converts.
    if not digits.isdigit() or len(digits) > 20:
        raise ReadError('a pax header with a bad size')
    return int(digits)


def _sparse() -> ReadError:
    return ReadError('a sparse file, which may unpack to any size')
