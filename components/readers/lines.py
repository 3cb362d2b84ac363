"""Opens a text file: decompressed, checked to be UTF-8, in lines of bounded length."""

from __future__ import annotations

import codecs
import contextlib
import functools
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from components.common.errors import DataError
from components.readers.decompression import gunzip, stream_of

# 50,000 times the mean IMDB review. csv needs 4 bytes for each character of a field.
MAX_ROW_CHARACTERS = 64_000_000

_UTF16, _UTF32 = 'UTF-16', 'UTF-32'
# First bytes of files that are not UTF-8 text, whatever their names are.
_SIGNATURES = {
    b'\xff\xfe\0\0': _UTF32,
    b'\0\0\xfe\xff': _UTF32,
    b'\xff\xfe': _UTF16,
    b'\xfe\xff': _UTF16,
    b'\x1f\x8b': 'gzip',
    b'PK\x03\x04': 'a zip or Excel file',
    b'PAR1': 'a Parquet file',
}


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Raise a DataError that names the file in place of what a damaged file raises.

    >>> with readable('reviews.csv.gz'):
    ...     raise EOFError('the gzip stream has no end')
    Traceback (most recent call last):
    components.common.errors.DataError: reviews.csv.gz cannot be read to its end: ...
    """
    try:
        yield
    except (EOFError, OSError, zlib.error) as err:
        if isinstance(err, OSError) and err.errno is not None:
            raise DataError(
                f'cannot read {name}: {err.strerror}',
                hint='check that the file exists and that you may read it',
            ) from err
        raise DataError(
            f'{name} cannot be read to its end: {err}',
            hint='check that the file is complete and that its extension fits its format',
        ) from err


def open_lines(stream: BinaryIO, name: str) -> tuple[Iterator[str], str]:
    r"""Open a text file.

    >>> lines, mark = open_lines(io.BytesIO(b'text,label\nFine.,pos\n'), 'a.csv')
    >>> list(lines), mark
    (['text,label\n', 'Fine.,pos\n'], '')

    Args:
        stream: The file's bytes, still gzipped if the name ends in `.gz`.
        name: The file's name.

    Returns:
        The lines, as `split_lines` yields them, and the byte order mark that the
        file begins with, or an empty string.

    Raises:
        DataError: If the first bytes are those of another encoding or of a
            compressed file.
        EOFError, OSError, zlib.error: If it cannot be decompressed.
    """
    if name.lower().endswith('.gz'):
        stream = stream_of(gunzip(stream))
    elif not hasattr(stream, 'peek'):
        stream = io.BufferedReader(cast(io.RawIOBase, stream))
    first = cast(io.BufferedReader, stream).peek(4)[:4]
    _require_utf8(first, name)
    # The encoding utf-8-sig takes a file with half a mark for an empty one.
    mark = ''
    if first.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        mark = '\ufeff'
    return split_lines(stream), mark


def split_lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of a text with their line breaks; one that is too long, in pieces.

    Surrogates stand for bytes that are not UTF-8, so that only their row is lost.
    """
    text = io.TextIOWrapper(stream, encoding='utf-8', errors='surrogateescape', newline='')
    # An attribute of CPython. With its default of 8 KiB, lines of the largest size are read in
    # quadratic time.
    text._CHUNK_SIZE = 1 << 17  # type: ignore[attr-defined]
    return iter(functools.partial(text.readline, MAX_ROW_CHARACTERS + 1), '')


def number_lines(lines: Iterable[str], name: str) -> Iterator[tuple[str, str | None]]:
    r"""Yield each line that is not blank, after its location `name:number`.

    >>> list(number_lines(['one\n', '\n', 'two'], 'a.txt'))
    [('a.txt:1', 'one\n'), ('a.txt:3', 'two')]

    None stands for a line that is too long.
    """
    number = 1
    end = ''  # the last character read of a line that is too long
    for line in lines:
        if end:
            ended = end in '\r\n'
            # One line break may be in two pieces.
            is_rest = not ended or (end == '\r' and line == '\n')
            end = '' if ended else line[-1]
            if is_rest:
                continue
        if len(line) > MAX_ROW_CHARACTERS:
            end = line[-1]
            yield f'{name}:{number}', None
        elif line.strip():
            yield f'{name}:{number}', line
        number += 1


def _require_utf8(head: bytes, name: str) -> None:
    found = next((what for sign, what in _SIGNATURES.items() if head.startswith(sign)), None)
    if found is None and len(head) == 4 and (not any(head[::2]) or not any(head[1::2])):
        # Every second byte is 0, as in Latin letters without a byte order mark.
        found = _UTF16 if any(head) else None
    if found is None:
        return
    if found in (_UTF16, _UTF32):
        hint = f'convert it: iconv -f {found} -t UTF-8'
    elif found == 'gzip':
        twice = name.lower().endswith('.gz')
        hint = 'it is compressed twice: gunzip it once' if twice else 'rename it to end in .gz'
    else:
        hint = 'save the table as CSV'
    raise DataError(f'{name} is {found}, expected UTF-8 text', hint=hint)
