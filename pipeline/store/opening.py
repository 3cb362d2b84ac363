"""Opens a store of ML Metadata, which is imported only here, and only then."""

from __future__ import annotations

import pathlib
import random
import time
from typing import Any

from components.common.errors import ReviewsError, ServiceError, StoreError
from pipeline.process.logs import no_framework_noise
from pipeline.store.metadata_file import repair_command

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
        StoreError: If a file cannot be opened.
        ServiceError: If that is so of a database on a server.
    """
    from ml_metadata.metadata_store import metadata_store

    deadline = time.monotonic() + (_MAKING_SECONDS if config.HasField('mysql') else 0)
    while True:
        try:
            return metadata_store.MetadataStore(config)
        except RuntimeError as err:
            if time.monotonic() > deadline:
                raise _cannot_open(config, err) from err
            time.sleep(random.random())


def _cannot_open(config: Any, error: RuntimeError) -> ReviewsError:
    told = ' '.join(str(error).split())[:300]
    if config.HasField('mysql'):
        mysql = config.mysql
        return ServiceError(
            f'ML Metadata cannot use the MySQL database {mysql.database} at '
            f'{mysql.socket or f"{mysql.host}:{mysql.port}"}: {told}',
            hint=rights_hint(mysql.user),
        )
    path = config.sqlite.filename_uri
    return StoreError(
        f'ML Metadata cannot open {path}: {told}', hint=repair_command(pathlib.Path(path))
    )


def rights_hint(user: str | None) -> str:
    """Say what to do where a server does not let ML Metadata do something."""
    return f'{user} needs all rights on the database; the log of the server may say more'


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
