"""The part of a download that has arrived, and the version of the remote it belongs to."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import os
import pathlib
from collections.abc import Iterator

from components.common.errors import ConfigError, DataError

CHUNK_BYTES = 1 << 20

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclasses.dataclass(frozen=True)
class RemoteVersion:
    url: str
    validator: str
    total_bytes: int | None


def parse_version(content: bytes) -> RemoteVersion | None:
    """Return what a file says of a download, None if it cannot be trusted.

    The validator becomes a header of a request, so it must be fit for one.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.keys() != {'url', 'validator', 'total_bytes'}:
        return None
    url, validator, total = fields['url'], fields['validator'], fields['total_bytes']
    if not isinstance(url, str) or not isinstance(validator, str):
        return None
    if not (validator.isascii() and validator.isprintable() and validator.strip() == validator):
        return None
    if not (total is None or (type(total) is int and total >= 0)):
        return None
    return RemoteVersion(url, validator, total)


class PartFile:
    """The beginning of the file, and the version of the remote it belongs to."""

    def __init__(self, handle: io.FileIO, path: pathlib.Path, destination: pathlib.Path) -> None:
        self._handle = handle
        self._path = path
        self._version_path = path.with_name(f'{path.name}.json')
        self._destination = destination

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._handle.fileno()).st_size

    def version(self, url: str) -> RemoteVersion | None:
        """Return what these bytes are the beginning of, None if nobody knows."""
        if not self.size_bytes:
            return None
        with explained_disk_errors(self._destination):
            try:
                version = parse_version(self._version_path.read_bytes())
            except FileNotFoundError:
                return None
        return version if version is not None and version.url == url else None

    def clear(self) -> None:
        with explained_disk_errors(self._destination):
            self._handle.truncate(0)
            self._version_path.unlink(missing_ok=True)

    def start(self, version: RemoteVersion | None) -> None:
        # Old bytes go before the new version is noted: a crash in between must
        # not leave the one labelled as the other.
        self.clear()
        if version is not None:
            with explained_disk_errors(self._destination):
                self._version_path.write_text(
                    json.dumps(dataclasses.asdict(version)), encoding='utf-8'
                )

    def append(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        with explained_disk_errors(self._destination):
            while rest:
                rest = rest[self._handle.write(rest) :]

    def sha256(self) -> str:
        with explained_disk_errors(self._destination):
            return file_sha256(self._handle)

    def publish(self) -> None:
        with explained_disk_errors(self._destination):
            os.fsync(self._handle.fileno())
            os.replace(self._path, self._destination)
            self._version_path.unlink(missing_ok=True)

    def remove_if_empty(self) -> None:
        if not self.size_bytes:
            with explained_disk_errors(self._destination):
                self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def open_part(destination: pathlib.Path) -> Iterator[PartFile]:
    path = destination.with_name(f'{destination.name}.part')
    with contextlib.ExitStack() as stack:
        with explained_disk_errors(destination):
            # Unbuffered: a failed write must not come back at close.
            handle = stack.enter_context(path.open('a+b', buffering=0))
            if not _lock(handle, path):
                raise DataError(
                    f'another process is fetching {destination}',
                    hint='wait until it is done, then run the command again',
                )
        part = PartFile(handle, path, destination)
        stack.callback(part.remove_if_empty)
        yield part


def _lock(handle: io.FileIO, path: pathlib.Path) -> bool:
    # Without a lock, a second process could go on appending to this file after
    # the first has checked it and moved it to the destination.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as err:
        # Some network file systems have no locks; fetching there is still fine.
        if err.errno in _NO_LOCKS:
            return True
        raise


def file_sha256(file: io.FileIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def explained_disk_errors(destination: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        if err.errno in _NO_ROOM:
            raise ConfigError(
                f'no room for {destination}: {err.strerror}',
                hint='make room or choose another folder; what has arrived is kept, so that '
                'the same command goes on from there',
            ) from err
        raise ConfigError(
            f'{destination} cannot be written: {err}',
            hint='choose a file in a folder that you may write to',
        ) from err
