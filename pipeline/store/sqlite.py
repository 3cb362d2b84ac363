"""The store of one root: a file in it."""

from __future__ import annotations

import pathlib
from typing import Any

from components.common.errors import ReviewsError
from pipeline.store import copies, metadata_file
from pipeline.store.backend import Backend, OwnContext
from pipeline.store.opening import sqlite_config
from pipeline.store.sqlite_mending import mend


class SqliteBackend(Backend):
    """The file `metadata.sqlite` below a root."""

    shared = False

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self.path = root / metadata_file.METADATA
        self.where = str(self.path)

    def connection(self) -> Any:
        return sqlite_config(self.path)

    def reader(self) -> Any | None:
        metadata_file.require_usable(self.path, to_write=False)
        exists = metadata_file.exists(self.path)
        return sqlite_config(self.path, to_read=True) if exists else None

    def require_usable(self) -> None:
        metadata_file.require_usable(self.path)

    def open_for_run(self) -> str:
        return copies.open_for_run(self._root)

    def claim(self, run_id: str) -> None:
        """Do nothing: the names of runs are taken below the root, and no other is in it."""

    def own_context(self, name: str) -> OwnContext:
        # As TFX calls it. Nothing else is in the file.
        return OwnContext('pipeline', name)

    def own_executions(self, store: Any) -> set[int] | None:
        return None

    def keep_copy(self) -> None:
        copies.keep_copy(self.path)

    def mend(self) -> list[str]:
        return mend(self.path)

    def failure(self, error: BaseException) -> ReviewsError | None:
        return None
