"""A metadata store on a MySQL server, which several pipeline roots and machines share."""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

from components.common import secrets
from components.common.atomic_write import atomic_file
from components.common.errors import ConfigError, StoreError
from pipeline.process.logs import no_framework_noise
from pipeline.settings.metadata import PASSWORD_VARIABLE, MetadataSettings
from pipeline.store.artifacts import highest_execution
from pipeline.store.folders import ROOT_ID
from pipeline.store.metadata_store import (
    OlderSchemaError,
    open_store,
    require_schema,
    unusable_server,
    upgrade_schema,
)
from pipeline.store.mysql_connection import connect, read_number
from pipeline.store.run_lock import root_lock

# Types of contexts that this project adds: for the executions of a root, and for reserved ids.
_ROOT_CONTEXT = 'root'
_RUN_ID_CONTEXT = 'run_id'


class MysqlBackend:
    """A database on a MySQL or MariaDB server; for the methods, see `SqliteBackend`.

    Args:
        settings: Settings of the backend `mysql`.
        root: The pipeline root.
    """

    shared = True

    def __init__(self, settings: MetadataSettings, root: pathlib.Path) -> None:
        self._settings = settings
        self._root = root
        self.where = settings.where

    def connection(self) -> Any:
        from ml_metadata.proto import metadata_store_pb2

        settings = self._settings
        config = metadata_store_pb2.ConnectionConfig()
        mysql = config.mysql
        if settings.socket is not None:
            mysql.socket = os.path.abspath(settings.socket)
        else:
            # For the name localhost, the client would use a Unix socket.
            mysql.host = '127.0.0.1' if settings.host == 'localhost' else settings.host
            mysql.port = settings.port
        mysql.database = settings.database
        mysql.user = settings.user
        mysql.password = self._password() or ''
        mysql.skip_db_creation = True
        # Without verify_server_cert: with it, the client refuses every certificate, in 1.16
        # and 1.21. `connect` verifies the certificate instead.
        for name, value in settings.tls.model_dump(exclude_none=True).items():
            setattr(mysql.ssl_options, name, os.path.abspath(value))
        return config

    def reader(self) -> Any | None:
        return self.connection() if self._usable_schema() is not None else None

    def require_usable(self) -> None:
        self._usable_schema()
        with self._readable_errors():
            open_store(self.connection())

    def describe(self) -> tuple[str, str]:
        with self._connect() as connection:
            # MariaDB puts 5.5.5 before its version, for compatibility with old replicas.
            version = connection.get_server_info().removeprefix('5.5.5-')
        schema = self._usable_schema()
        tables = 'a run creates the tables' if schema is None else f'schema {schema}'
        return f'{self.where}, {version}; {tables}', ''

    def open_for_run(self) -> str:
        left = highest_execution(self._root)
        with self._connect() as connection:
            known = read_number(connection, 'SELECT MAX(id) FROM Execution') or 0
        if known < left:
            raise StoreError(
                f'there are artifacts of execution {left} below {self._root}, but the last '
                f'execution in {self.where} is {known}: another store recorded them',
                hint='pass a new --root; to keep the baseline, pass the current --serving-dir, too',
            )
        return ''

    def claim(self, run_id: str) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        with self._readable_errors():
            store = open_store(self.connection())
            kind = metadata_store_pb2.ContextType(name=_RUN_ID_CONTEXT)
            context = metadata_store_pb2.Context(type_id=store.put_context_type(kind), name=run_id)
            context.custom_properties['root'].string_value = str(self._root)
            try:
                store.put_contexts([context])
            except errors.AlreadyExistsError as err:
                raise FileExistsError(run_id) from err

    def own_context(self, name: str) -> tuple[str, str]:
        return _ROOT_CONTEXT, f'{root_id(self._root)}.{name}'

    def own_executions(self, store: Any) -> set[int]:
        known = known_root_id(self._root)
        return {
            execution.id
            for context in store.get_contexts_by_type(_ROOT_CONTEXT)
            if context.name.partition('.')[0] == known
            for execution in store.get_executions_by_context(context.id)
        }

    def back_up(self) -> None:
        """Do nothing: backups are the task of the administrator."""

    def repair(self) -> list[str]:
        try:
            self._usable_schema()
        except OlderSchemaError:
            return [upgrade_schema(self.connection(), self.where)]
        return []

    def _usable_schema(self) -> int | None:
        """Return the version of the tables, None if there are none; nothing is changed.

        Raises:
            ReviewsError: If a run cannot use the server.
        """
        with self._connect() as connection:
            schema = read_number(connection, 'SELECT schema_version FROM MLMDEnv')
        if schema is not None:
            repair = f'python pipeline_runner.py repair {self._settings.flags()}'
            require_schema(self.where, schema, repair)
        return schema

    def _connect(self) -> contextlib.AbstractContextManager[Any]:
        return connect(self._settings, self._password())

    def _password(self) -> str | None:
        file = self._settings.password_file
        try:
            if file is None:
                password = os.environ.get(PASSWORD_VARIABLE, '')
                password.encode()
            else:
                password = pathlib.Path(file).read_text(encoding='utf-8').rstrip('\r\n')
        except (OSError, UnicodeError) as err:
            reason = getattr(err, 'strerror', None) or 'it is not UTF-8'
            raise ConfigError(
                f'cannot read the password of metadata from {file or PASSWORD_VARIABLE}: {reason}',
                hint=f'set another metadata.password_file, or the variable {PASSWORD_VARIABLE}',
            ) from None  # a UnicodeError contains the password
        if password:
            secrets.register(password)
        return password or None

    @contextlib.contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Hide the output of ML Metadata, and explain its errors."""
        from ml_metadata import errors

        try:
            with no_framework_noise():
                yield
        except (RuntimeError, errors.StatusError) as err:
            raise unusable_server(self.where, err) from err


def root_id(root: pathlib.Path) -> str:
    """Return the id of a root in a shared store; the first call creates it.

    The id is not the path, because other machines may have the same path. A copy of a
    root gets an id of its own; otherwise, each of the two roots would cancel executions
    of the other.

    Raises:
        OSError: If it cannot be written.
    """
    known = known_root_id(root)
    if known is not None:
        return known
    with root_lock(root):
        known = known_root_id(root)  # another run may have been faster
        if known is None:
            known = uuid.uuid4().hex
            with atomic_file(root / ROOT_ID) as part, open(part, 'x', encoding='utf-8') as file:
                file.write(f'{known} {os.fstat(file.fileno()).st_ino}\n')
    return known


def known_root_id(root: pathlib.Path) -> str | None:
    """Return the id of a root; None if it has none, or was copied from another root."""
    # A copied file has another inode number than the one that it contains.
    try:
        with open(root / ROOT_ID, encoding='utf-8') as file:
            name, number = file.read().split()
            return name if int(number) == os.fstat(file.fileno()).st_ino else None
    except (FileNotFoundError, ValueError):
        return None
