"""Opens stores of ML Metadata. The package is imported only when a store is opened."""

from __future__ import annotations

import pathlib
import random
import time
from typing import Any

from components.common.errors import ReviewsError, ServiceError, StoreError
from pipeline.process.logs import no_framework_noise
from pipeline.store.metadata_file import repair_command

# ML Metadata fails while another process creates the tables of a new database on a server. This
# is how long `open_store` tries again.
_CREATION_SECONDS = 15.0


def sqlite_config(path: pathlib.Path, *, read_only: bool = False) -> Any:
    """Return the ConnectionConfig of a SQLite file; without `read_only`, opening it creates it."""
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    modes = metadata_store_pb2.SqliteMetadataSourceConfig
    config.sqlite.connection_mode = modes.READONLY if read_only else modes.READWRITE_OPENCREATE
    return config


def open_store(config: Any) -> Any:
    """Open a metadata store, and create its tables if there are none.

    Args:
        config: The ConnectionConfig.

    Returns:
        The MetadataStore.

    Raises:
        StoreError: If a file cannot be opened.
        ServiceError: If a database on a server cannot be opened.

    Example:
        open_store(sqlite_config(root / 'metadata.sqlite')).get_executions()
    """
    from ml_metadata.metadata_store import metadata_store

    deadline = time.monotonic() + (_CREATION_SECONDS if config.HasField('mysql') else 0)
    while True:
        try:
            return metadata_store.MetadataStore(config)
        except RuntimeError as err:
            if time.monotonic() > deadline:
                raise _cannot_open(config, err) from err
            time.sleep(random.random())


def _cannot_open(config: Any, error: RuntimeError) -> ReviewsError:
    if config.HasField('mysql'):
        mysql = config.mysql
        address = mysql.socket or f'{mysql.host}:{mysql.port}'
        return unusable_server(f'the MySQL database {mysql.database} at {address}', error)
    path = pathlib.Path(config.sqlite.filename_uri)
    return StoreError(
        f'ML Metadata cannot open {path}: {one_line(error)}', hint=repair_command(path)
    )


def unusable_server(where: str, error: Exception) -> ServiceError:
    """Return the error for a server that refuses a request of ML Metadata."""
    return ServiceError(
        f'ML Metadata cannot use {where}: {one_line(error)}',
        hint='metadata.user needs all rights on the database; see also the log of the server',
    )


def upgrade_schema(config: Any, where: str, hint: str) -> None:
    """Upgrade a store to the schema of the installed ML Metadata.

    Args:
        config: The ConnectionConfig.
        where: Description of the store, for the message.
        hint: What to do if the upgrade fails.

    Raises:
        StoreError: If the upgrade fails.
    """
    from ml_metadata.metadata_store import metadata_store

    try:
        with no_framework_noise():
            metadata_store.MetadataStore(config, enable_upgrade_migration=True)
    except RuntimeError as err:
        raise StoreError(
            f'the schema of {where} cannot be upgraded: {one_line(err)}', hint=hint
        ) from err


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line of at most 300 characters."""
    return ' '.join(str(error).split())[:300]
