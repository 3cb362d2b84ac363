"""Opens the files of a source, on a disk or in an object store, and reads their records."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.common.storage import file_bytes
from components.example_gen.batches import ByteRange, SourceKind, open_part
from components.readers import archive, formats, imdb
from components.readers.lines import readable
from components.readers.records import LEADS_OUT, NO_FILE, Record, Reject


def read_files(
    kind: SourceKind,
    paths: Iterable[str],
    columns: ColumnSettings,
    split: str | None,
    part: ByteRange | None = None,
    *,
    base: str = '',
    on_format: Callable[[str], None] | None = None,
) -> Iterator[Record | Reject]:
    """Read the files of a `Batch`, one after the other.

    The location of a row names the file by its path below `base`, or by its last part.

    The location of a row in a later part of a file is, for example,
    `big.jsonl, byte 268435461:3`: line 3 of the part that begins at this byte. For
    `on_format`, see `formats.read_records`.

    Raises:
        DataError: If a file cannot be read, or changes while it is read.
    """
    for path in paths:
        if kind is SourceKind.IMDB_FOLDER:
            yield _read_review(path)
            continue
        name = path.removeprefix(base) if base else posixpath.basename(path)
        with _open_unchanged(path) as stream:
            lines, start = stream, 0
            if part is not None:
                if file_bytes(path) != part.file_bytes:
                    raise _changed_error(path)
                with readable(name):
                    lines, start = open_part(stream, part)
            yield from formats.read_records(
                lines, name, columns, split, start=start, on_format=on_format
            )


def _changed_error(path: str) -> DataError:
    return DataError(
        f'{path} changed while it was read', hint='wait until no other program writes to it'
    )


@contextlib.contextmanager
def _open_unchanged(path: str) -> Iterator[BinaryIO]:
    """Open a file, and check at the end that it has not changed."""
    with readable(path):
        before = _get_state(path)
        # The readers decompress gzip themselves, so that their errors name the file.
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    with file:
        yield cast(BinaryIO, file)
    with readable(path):
        after = _get_state(path)
    if after != before:
        raise _changed_error(path)


def _get_state(path: str) -> tuple[int, int] | None:
    """Return size and time of a local file; None elsewhere, where files are never half written."""
    if '://' in path:
        return None
    found = os.stat(path)
    # To open a FIFO would wait for a program that writes to it.
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f'{path} is {NO_FILE}', hint='remove it, or make the pattern narrower')
    return found.st_size, found.st_mtime_ns


def _read_review(path: str) -> Record | Reject:
    if '://' not in path and os.path.lexists(path):
        if not os.path.isfile(path):
            return Reject(NO_FILE, path)
        if _leads_out(path):
            return Reject(LEADS_OUT, path)
    with (
        readable(path),
        FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
    ):
        content = file.read(archive.MAX_FILE_BYTES + 1)
    return imdb.read_file(path, None if len(content) > archive.MAX_FILE_BYTES else content)


def _leads_out(path: str) -> bool:
    """Return whether a review is a link to a file outside the data set."""
    folder = os.path.dirname(path)  # .../train/pos
    if not any(map(os.path.islink, (path, folder, os.path.dirname(folder)))):
        return False
    top = os.path.realpath(os.path.dirname(os.path.dirname(folder)))
    return os.path.commonpath([top, os.path.realpath(path)]) != top
