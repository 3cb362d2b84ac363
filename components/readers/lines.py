"""Opens a text file: decompressed, checked to be text, in lines of bounded length."""

from __future__ import annotations

import contextlib
import functools
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from components.common.errors import DataError
from components.readers.decompression import gunzip, stream_of
from components.readers.encodings import byte_order_mark, errors_of, resolve, suggest
from components.readers.signatures import HEAD_BYTES, require_text

# 50,000 times the mean IMDB review. csv needs 4 bytes for each character of a field.
MAX_ROW_CHARACTERS = 64_000_000


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
                hint=unexpanded_hint(name) or 'check that the file exists and that you may read it',
            ) from err
        raise DataError(
            f'{name} cannot be read to its end: {err}',
            hint='check that the file is complete and that its extension fits its format',
        ) from err


def unexpanded_hint(path: str) -> str:
    """Return the hint for a path whose `~` the shell left as it is, or an empty string."""
    return 'write the whole path in place of ~, or leave out the quotes' if path[:1] == '~' else ''


def open_lines(stream: BinaryIO, name: str, encoding: str = 'utf-8') -> tuple[Iterator[str], str]:
    r"""Open a text file.

    >>> lines, mark = open_lines(io.BytesIO(b'text,label\nFine.,pos\n'), 'a.csv')
    >>> list(lines), mark
    (['text,label\n', 'Fine.,pos\n'], '')

    Args:
        stream: The file's bytes, still gzipped if the name ends in `.gz`.
        name: The file's name.
        encoding: Its encoding, as `codecs.lookup` spells it.

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
    head = cast(io.BufferedReader, stream).peek(HEAD_BYTES)[:HEAD_BYTES]
    require_text(head, name, encoding)
    # The encoding utf-8-sig takes a file with half a mark for an empty one.
    mark = byte_order_mark(head, encoding)
    stream.read(len(mark))
    return split_lines(stream, resolve(encoding, head)), '\ufeff' if mark else ''


def split_lines(stream: BinaryIO, encoding: str = 'utf-8') -> Iterator[str]:
    """Yield the lines of a text with their line breaks; one that is too long, in pieces.

    Surrogates stand for bytes that are not of the encoding, so that only their row is lost.
    """
    text = io.TextIOWrapper(stream, encoding=encoding, errors=errors_of(encoding), newline='')
    # An attribute of CPython. With its default of 8 KiB, lines of the largest size are read in
    # quadratic time.
    text._CHUNK_SIZE = 1 << 17  # type: ignore[attr-defined]
    return iter(functools.partial(text.readline, MAX_ROW_CHARACTERS + 1), '')


def find_encoding(stream: BinaryIO, name: str) -> str:
    """Return the encoding of a text file that is not UTF-8; see `encodings.suggest`.

    Raises:
        DataError, EOFError, OSError, zlib.error: As `open_lines`.
    """
    lines, _ = open_lines(stream, name)
    return suggest(lines)


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
