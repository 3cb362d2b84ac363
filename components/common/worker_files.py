"""Files through which the Beam workers of a job pass large values on.

A runner such as Flink holds a record in memory several times, and limits its size. So a worker
writes what grows with the data into a file of the artifact, and its record only names the file.
"""

from __future__ import annotations

import hashlib
import pickle
import posixpath
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from components.common.atomic_write import UNFINISHED
from components.common.errors import ComponentError
from components.common.storage import storage_of


class StoredValue(NamedTuple):
    """Names a value in a file of `WorkerFiles`, in some 100 bytes.

    Attributes:
        name: Name of the file.
        start: Position of the value in the file, in bytes.
        size: Its size, in bytes.
        digest: Its SHA-256 digest.
    """

    name: str
    start: int
    size: int
    digest: bytes


class WorkerFiles:
    """Stores values for other workers, in temporary files of an artifact.

    A bundle that is repeated writes another file. `clear_unfinished` removes all of them when
    the job is done.

    Args:
        uri: The artifact that the workers write.

    Attributes:
        folder: The folder of the files, also for the `part_dir` of `atomic_write`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as uri:
        ...     files = WorkerFiles(uri)
        ...     first, second = files.store(['a value', 'another one'])
        ...     files.load(second)
        'another one'
    """

    def __init__(self, uri: str) -> None:
        self.folder = posixpath.join(uri, UNFINISHED)

    def store(self, values: Iterable[Any]) -> list[StoredValue]:
        """Write values one after the other into a new file; they must be picklable."""
        name = f'values-{uuid.uuid4().hex}'
        storage = storage_of(self.folder)
        storage.makedirs(self.folder)
        stored = []
        start = 0
        with storage.GFile(posixpath.join(self.folder, name), 'wb') as file:
            for value in values:
                content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
                file.write(content)
                digest = hashlib.sha256(content).digest()
                stored.append(StoredValue(name, start, len(content), digest))
                start += len(content)
        return stored

    def load(self, stored: StoredValue) -> Any:
        """Read a value.

        Raises:
            ComponentError: If the file does not hold what a worker of this job wrote. Nothing
                is unpickled in that case.
            OSError: If the file cannot be read.
        """
        path = posixpath.join(self.folder, stored.name)
        with storage_of(path).GFile(path, 'rb') as file:
            file.seek(stored.start)
            content = file.read(stored.size)
        if hashlib.sha256(content).digest() != stored.digest:
            raise ComponentError(
                f'{path}: expected the {stored.size:,} bytes that a worker wrote, got others',
                hint='the file was changed during the run: run the same command again',
            )
        return pickle.loads(content)
