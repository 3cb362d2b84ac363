"""Opens the files of a source, wherever they are, and reads their records."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.parts import ByteRange, lines_of
from components.example_gen.source_kind import SourceKind
from components.readers import archive, imdb, tables
from components.readers.files import file_bytes
from components.readers.lines import readable
from components.readers.records import LEADS_OUT, NO_FILE, Record, Reject


def read_records(
    kind: SourceKind,
    paths: Iterable[str],
    columns: ColumnSettings,
    split: str | None,
    part: ByteRange | None = None,
) -> Iterator[Record | Reject]:
    """Read files of one kind, one after the other.

    Args:
        kind: How they are read.
        paths: Where they are.
        columns: What is what in a table.
        split: The split of all rows, None to leave it to the rows.
        part: Of the file, a JSON Lines file then, which lines; None for all. A
            line beyond the first part is called by its place behind the byte at
            which its part begins: `big.jsonl, byte 268435461:3`.

    Raises:
        DataError: If a file cannot be read, or changed while it was.
    """
    for path in paths:
        if kind is SourceKind.IMDB_FOLDER:
            yield _read_review(path)
            continue
        name = posixpath.basename(path)
        with _opened(path) as stream:
            if kind is SourceKind.IMDB_ARCHIVE:
                yield from imdb.read_archive(stream, name, unlabelled=columns.use_unlabelled)
            elif part is not None:
                if file_bytes(path) != part.file_bytes:
                    raise _changed(path)
                with readable(name):
                    lines, start = lines_of(stream, part)
                yield from tables.read_table(lines, name, columns, split, start=start)
            else:
                yield from tables.read_table(stream, name, columns, split)


def _changed(path: str) -> DataError:
    return DataError(
        f'{path} was changed while it was read', hint='wait until what writes it is done'
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    with _explained(path):
        before = _state(path)
        # Beam would gunzip by file name; the readers do it, and can then name the file.
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    with file:
        yield cast(BinaryIO, file)
    with _explained(path):
        after = _state(path)
    if after != before:
        raise _changed(path)


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise DataError(
            f'cannot read {path}: {err.strerror or err}',
            hint='check that the file is still there, and who may read it',
        ) from err


def _state(path: str) -> tuple[int, int] | None:
    """Return size and time of a local file; None elsewhere, where files are whole or not there."""
    if '://' in path:
        return None
    found = os.stat(path)
    # To open a FIFO would wait for who writes to it.
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f'{path} is {NO_FILE}', hint='leave it out, or make the pattern narrower')
    return found.st_size, found.st_mtime_ns


def _read_review(path: str) -> Record | Reject:
    if '://' not in path:
        if not os.path.isfile(path):
            if not os.path.lexists(path):
                raise DataError(f'cannot read {path}: it is gone', hint='run it again')
            return Reject(NO_FILE, path)
        if _leads_out(path):
            return Reject(LEADS_OUT, path)
    with (
        _explained(path),
        FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
    ):
        content = file.read(archive.MAX_FILE_BYTES + 1)
    return imdb.read_file(path, None if len(content) > archive.MAX_FILE_BYTES else content)


def _leads_out(path: str) -> bool:
    """Whether a review is none of the data set's: a link, as in an archive from elsewhere."""
    folder = os.path.dirname(path)  # .../train/pos
    if not any(map(os.path.islink, (path, folder, os.path.dirname(folder)))):
        return False
    top = os.path.realpath(os.path.dirname(os.path.dirname(folder)))
    return os.path.commonpath([top, os.path.realpath(path)]) != top
