"""Opens stores of ML Metadata. The package is imported only when a store is opened."""

from __future__ import annotations

import pathlib
import random
import shlex
import time
from typing import Any

from components.common.errors import ReviewsError, ServiceError, StoreError
from pipeline.process.logs import no_framework_noise

# Schema of ML Metadata's tables, the same on all stacks.
SCHEMA_VERSION = 10
# ML Metadata fails while another process creates the tables of a new database on a server. This
# is how long `open_store` tries again.
_CREATION_SECONDS = 15.0


class OlderSchemaError(StoreError):
    """An older version of ML Metadata wrote the store; `repair` upgrades it."""


def require_schema(where: str, schema: int, repair: str) -> None:
    """Check that the installed version of ML Metadata can use a store.

    Args:
        where: Description of the store.
        schema: Version of its tables.
        repair: The command that upgrades it.

    Raises:
        OlderSchemaError: If an older ML Metadata wrote it.
        StoreError: If a newer ML Metadata wrote it.
    """
    versions = f'expected schema {SCHEMA_VERSION}, got {schema}'
    if schema > SCHEMA_VERSION:
        message = f'{where} was written by a newer ML Metadata: {versions}'
        hint = 'use the stack that wrote it, or pass another --root or metadata.database'
        raise StoreError(message, hint=hint)
    if schema < SCHEMA_VERSION:
        message = f'{where} was written by an older ML Metadata: {versions}'
        raise OlderSchemaError(message, hint=f'while no run is active, upgrade it: {repair}')


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
    return StoreError(f'ML Metadata cannot open {path}: {error}', hint=repair_command(path))


def unusable_server(where: str, error: Exception) -> ServiceError:
    """Return the error for a server that refuses a request of ML Metadata."""
    return ServiceError(
        f'ML Metadata cannot use {where}: {error}',
        hint='metadata.user needs all rights on the database; see also the log of the server',
    )


def repair_command(path: pathlib.Path) -> str:
    """Return the command that repairs a file.

    >>> repair_command(pathlib.Path('runs/metadata.sqlite'))
    'python pipeline_runner.py repair --root runs'
    """
    return f'python pipeline_runner.py repair --root {shlex.quote(str(path.parent))}'


def upgrade_schema(config: Any, where: str) -> str:
    """Upgrade a store to the schema of the installed ML Metadata.

    Args:
        config: The ConnectionConfig.
        where: Description of the store.

    Returns:
        A message that says what was done.

    Raises:
        StoreError: If the upgrade fails.
    """
    from ml_metadata.metadata_store import metadata_store

    try:
        with no_framework_noise():
            metadata_store.MetadataStore(config, enable_upgrade_migration=True)
    except RuntimeError as err:
        message = f'the schema of {where} cannot be upgraded: {err}'
        raise StoreError(message, hint='restore a backup, or use another store') from err
    return f'{where} was upgraded to schema {SCHEMA_VERSION}'
