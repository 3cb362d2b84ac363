"""Opens a store of ML Metadata, which is imported only here, and only then."""

from __future__ import annotations

import pathlib
import random
import time
from typing import Any

from components.errors import StoreError
from pipeline.logs import no_framework_noise

# Who opens a new database on a server finds some of the tables where another one is making them,
# and ML Metadata takes that for an error. On a busy disk, they take seconds.
_MAKING_SECONDS = 15.0


def sqlite_config(path: pathlib.Path, *, to_read: bool = False) -> Any:
    """Return how ML Metadata connects to a file; it is made unless it is only read."""
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    modes = metadata_store_pb2.SqliteMetadataSourceConfig
    config.sqlite.connection_mode = modes.READONLY if to_read else modes.READWRITE_OPENCREATE
    return config


def opened_store(config: Any) -> Any:
    """Open a store, and make its tables if there are none.

    Args:
        config: The ConnectionConfig.

    Returns:
        The MetadataStore.

    Raises:
        RuntimeError: If it cannot be opened.
    """
    from ml_metadata.metadata_store import metadata_store

    deadline = time.monotonic() + (_MAKING_SECONDS if config.HasField('mysql') else 0)
    while True:
        try:
            return metadata_store.MetadataStore(config)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(random.random())


def bring_up_to_date(config: Any, where: str, hint: str) -> None:
    """Bring a store to the schema of the ML Metadata that is installed.

    Args:
        config: The ConnectionConfig.
        where: The store, as a person is told of it.
        hint: What to do where that fails.

    Raises:
        StoreError: If that fails.
    """
    from ml_metadata.metadata_store import metadata_store

    try:
        with no_framework_noise():
            metadata_store.MetadataStore(config, enable_upgrade_migration=True)
    except RuntimeError as err:
        raise StoreError(
            f'{where} cannot be brought to the current schema: {" ".join(str(err).split())[:200]}',
            hint=hint,
        ) from err
