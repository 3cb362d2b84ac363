"""Writes records into shards: files of bounded size, each with a file of origins beside it."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any, NamedTuple

from components.common.storage import file_bytes, storage_of
from components.example_gen.examples import RecordWriter
from components.example_gen.origins import OriginBuffer


class Shard(NamedTuple):
    """A file, and the bytes that were written to it.

    Attributes:
        path: The path of the file.
        size_bytes: Its size.
        origins_bytes: Size of the file at `origins_path`; None if there is none.
    """

    path: str
    size_bytes: int
    origins_bytes: int | None = None

    @property
    def origins_path(self) -> str:
        """The path of the file with the origins of its records, see `origins`."""
        return f'{self.path}.origins'


class ShardWriter:
    """Writes records to one file after the other.

    Args:
        prefix: Prefix of the files' paths; a unique name is added.
        shard_bytes: Uncompressed bytes of records at which a new file begins.
        lines: Whether records are lines of plain text, not gzipped TFRecords.

    Attributes:
        shards: The closed files.
    """

    def __init__(self, prefix: str, shard_bytes: int, *, lines: bool = False) -> None:
        self.shards: list[Shard] = []
        self._prefix = prefix
        self._shard_bytes = shard_bytes
        self._lines = lines
        self._path = ''
        self._file: Any = None
        self._bytes = 0
        self._origins: OriginBuffer | None = None

    def write(self, record: bytes, origin: str | None = None) -> None:
        """Write a record, and its origin, which all records of a file have or none."""
        if self._file is None:
            self._path = f'{self._prefix}-{uuid.uuid4().hex}'
            if self._lines:
                self._file = storage_of(self._path).GFile(self._path, 'wb')
            else:
                self._file = RecordWriter(self._path)
            self._origins = None if origin is None else OriginBuffer()
        self._file.write(record)
        if self._origins is not None and origin is not None:
            self._origins.add(origin)
        self._bytes += len(record)
        if self._bytes >= self._shard_bytes:
            self.close()

    def close(self) -> None:
        """Close the open file, if there is one."""
        if self._file is not None:
            self._file.close()
            shard = Shard(self._path, file_bytes(self._path))
            if self._origins is not None:
                content = self._origins.content()
                with storage_of(shard.origins_path).GFile(shard.origins_path, 'wb') as file:
                    file.write(content)
                shard = shard._replace(origins_bytes=len(content))
            self.shards.append(shard)
            self._file, self._bytes = None, 0


def publish_shard(path: str, name: str) -> None:
    """Rename a shard to its final name, unless an earlier attempt did."""
    storage = storage_of(name)
    storage.makedirs(posixpath.dirname(name))
    if storage.exists(path):
        storage.rename(path, name, overwrite=True)
