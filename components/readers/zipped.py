"""Opens the only table in a .zip file."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from components.common.errors import DataError
from components.readers.decompression import CHUNK_BYTES, require_ratio, stream_of

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_ENCRYPTED = 1
_SHOWN_NAMES = 5
_EXTRACT = 'extract it, and pass the files in it'


def open_member(
    stream: BinaryIO, name: str, is_text_table: Callable[[str], bool]
) -> tuple[BinaryIO, str]:
    """Return the bytes and the name of the table in a zip file.

    What macOS and others add to such files is ignored.

    Args:
        stream: The file, which must be seekable.
        name: Its name, for messages.
        is_text_table: Whether a file of this name is a table that is read from its
            beginning to its end.

    Raises:
        DataError: If it has no such table, or more than one, or is encrypted.
        OSError: If it is damaged; reading the bytes raises it, too.
    """
    with _damage_as_os_error():
        archive = zipfile.ZipFile(stream)
    files = [
        info
        for info in archive.infolist()
        if info.filename
        and not info.filename.endswith('/')
        and not info.filename.startswith('__MACOSX/')
        and not info.filename.rpartition('/')[2].startswith('.')
    ]
    tables = [info for info in files if is_text_table(info.filename)]
    if len(tables) != 1:
        names = [repr(info.filename[:60]) for info in tables or files]
        shown = ', '.join(names[:_SHOWN_NAMES]) + (', …' if len(names) > _SHOWN_NAMES else '')
        if any(info.filename == 'xl/workbook.xml' for info in files):
            raise DataError(f'{name} is an Excel file', hint='save the table as CSV')
        what = f'{len(tables):,} tables' if tables else 'no text table'
        expected = 'expected one .csv, .tsv, .jsonl or .json'
        raise DataError(
            f'{name} has {what}, {expected}: {shown or "it is empty"}',
            hint=_EXTRACT,
        )
    table = tables[0]
    if table.flag_bits & _ENCRYPTED:
        raise DataError(f'{name} is encrypted', hint=_EXTRACT)
    if table.compress_type not in _METHODS:
        raise DataError(f'{name} is compressed by a method that is not known', hint=_EXTRACT)
    return stream_of(_read(archive, table)), table.filename.rpartition('/')[2]


def _read(archive: zipfile.ZipFile, table: zipfile.ZipInfo) -> Iterator[bytes]:
    count = 0
    with _damage_as_os_error(), archive.open(table) as file:
        while chunk := file.read(CHUNK_BYTES):
            count += len(chunk)
            require_ratio(table.compress_size, count)
            yield chunk


# What zipfile raises where a file is damaged. It does not check each header: an empty name gives
# an IndexError, a wrong offset a ValueError or OverflowError, an unknown version or method a
# NotImplementedError, and a flag of encryption in the second header a RuntimeError.
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@contextlib.contextmanager
def _damage_as_os_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as err:
        text = ''.join(each if each.isprintable() else ' ' for each in str(err))
        raise OSError(text[:200] or type(err).__name__) from err
