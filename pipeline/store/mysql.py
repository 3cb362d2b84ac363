"""A metadata store on a MySQL server, which several pipeline roots and machines share."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from components.common import secrets
from components.common.errors import ConfigError, ReviewsError, ServiceError, StoreError
from pipeline.process.logs import no_framework_noise
from pipeline.settings.metadata import PASSWORD_VARIABLE, MetadataSettings
from pipeline.store import metadata_file
from pipeline.store.backend import SCHEMA_VERSION, Backend, OwnContext
from pipeline.store.manifest import highest_execution
from pipeline.store.metadata_store import one_line, open_store, unusable_server, upgrade_schema
from pipeline.store.mysql_connection import connect, read_number
from pipeline.store.root_id import known_root_id, root_id

# Types of contexts that this project adds: for the executions of a root, and for reserved ids.
_ROOT_CONTEXT = 'root'
_RUN_ID_CONTEXT = 'run_id'
_NEW_ROOT_HINT = 'pass a new --root; its baseline is the version in --serving-dir'
# Messages of ML Metadata's client and of TFX if the server cannot be reached.
_UNREACHABLE = re.compile(
    r'mysql_\w+ (failed|aborted)|Failed to establish connection to Metadata storage'
)


class Server(NamedTuple):
    """The state of the server.

    Attributes:
        version: Version of the server.
        schema: Version of ML Metadata's tables; None if there are none.
    """

    version: str
    schema: int | None


class MysqlBackend(Backend):
    """A database on a MySQL or MariaDB server.

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
        return self.connection() if self.usable_server().schema is not None else None

    def require_usable(self) -> None:
        self.usable_server()
        with self._readable_errors(), no_framework_noise():
            open_store(self.connection())

    def open_for_run(self) -> str:
        self._require_not_of_a_file()
        left = highest_execution(self._root / 'artifacts')
        with self._connect() as connection:
            known = read_number(connection, 'SELECT MAX(id) FROM Execution') or 0
        if known < left:
            raise StoreError(
                f'below {self._root} are artifacts of execution {left}, and {self.where} has only '
                f'come to {known}: it is not the store that they are recorded in, or was emptied',
                hint=_NEW_ROOT_HINT,
            )
        return ''

    def _require_not_of_a_file(self) -> None:
        file = self._root / metadata_file.METADATA
        if not metadata_file.has_executions(file):
            return
        with self._readable_errors(), no_framework_noise():
            known = self._own_contexts(open_store(self.connection()))
        if not known:
            raise StoreError(
                f'the runs below {self._root} are recorded in {file}, and {self.where} knows none '
                'of them: an existing root does not move to a server',
                hint=_NEW_ROOT_HINT,
            )

    def claim(self, run_id: str) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        with self._readable_errors(), no_framework_noise():
            store = open_store(self.connection())
            kind = metadata_store_pb2.ContextType(name=_RUN_ID_CONTEXT)
            context = metadata_store_pb2.Context(
                type_id=store.put_context_type(kind), name=run_id
            )
            context.custom_properties['root'].string_value = str(self._root)
            try:
                store.put_contexts([context])
            except errors.AlreadyExistsError as err:
                raise FileExistsError(run_id) from err

    def own_context(self, name: str) -> OwnContext:
        return OwnContext(_ROOT_CONTEXT, f'{root_id(self._root)}.{name}')

    def own_executions(self, store: Any) -> set[int]:
        return {
            execution.id
            for context in self._own_contexts(store)
            for execution in store.get_executions_by_context(context.id)
        }

    def _own_contexts(self, store: Any) -> list[Any]:
        known = known_root_id(self._root)
        return [
            context
            for context in store.get_contexts_by_type(_ROOT_CONTEXT)
            if context.name.partition('.')[0] == known
        ]

    def back_up(self) -> None:
        """Do nothing: backups are the task of the administrator."""

    def repair(self) -> list[str]:
        found = self.server()
        self._require_not_newer(found)
        if found.schema is None or found.schema == SCHEMA_VERSION:
            return []
        upgrade_schema(self.connection(), self.where, 'put back a backup of the database')
        return [f'{self.where} was upgraded from schema {found.schema} to {SCHEMA_VERSION}']

    def explain_failure(self, error: BaseException) -> ReviewsError | None:
        if not any(_UNREACHABLE.search(str(err)) for err in _error_chain(error)):
            return None
        try:
            self.server()
        except ReviewsError as err:
            return type(err)(str(err), hint=f'{err.hint}; then the same command resumes')
        return ServiceError(
            f'{self.where} failed during the run: {one_line(error)}',
            hint='the same command resumes',
        )

    def server(self) -> Server:
        """Return the state of the server; nothing is changed.

        Raises:
            ReviewsError: If it cannot be reached, or refuses the connection.
        """
        with self._connect() as connection:
            # MariaDB puts 5.5.5 before its version, for compatibility with old replicas.
            version = connection.get_server_info().removeprefix('5.5.5-')
            return Server(version, read_number(connection, 'SELECT schema_version FROM MLMDEnv'))

    def usable_server(self) -> Server:
        """Return the state of the server, and check its schema.

        Raises:
            ReviewsError: If a run cannot use the server.
        """
        found = self.server()
        self._require_not_newer(found)
        if found.schema is not None and found.schema < SCHEMA_VERSION:
            raise StoreError(
                f'{self.where} was written by an older ML Metadata: its schema is {found.schema}',
                hint=f'when no run is under way, upgrade it: '
                f'python pipeline_runner.py repair {self._settings.flags()}',
            )
        return found

    def _require_not_newer(self, found: Server) -> None:
        if found.schema is not None and found.schema > SCHEMA_VERSION:
            raise StoreError(
                f'{self.where} was written by a newer ML Metadata: its schema is {found.schema}, '
                f'{SCHEMA_VERSION} is known here',
                hint='use the stack that wrote it, or another metadata.database',
            )

    def _connect(self) -> contextlib.AbstractContextManager[Any]:
        return connect(self._settings, self._password())

    def _password(self) -> str | None:
        file = self._settings.password_file
        if file is None:
            password = os.environ.get(PASSWORD_VARIABLE)
        else:
            try:
                password = pathlib.Path(file).read_text(encoding='utf-8').rstrip('\r\n')
            except (OSError, UnicodeError) as err:
                reason = getattr(err, 'strerror', None) or 'it is not text'
                raise ConfigError(
                    f'cannot read the password of metadata from {file}: {reason}',
                    hint=f'name another metadata.password_file, or set {PASSWORD_VARIABLE}',
                ) from err
        if not password:
            return None
        try:
            password.encode()
        except UnicodeError:
            raise ConfigError(
                f'the password in {PASSWORD_VARIABLE} is not UTF-8',
                hint='set it in a terminal that is, or name a metadata.password_file',
            ) from None  # the UnicodeError contains the password
        secrets.register(password)
        return password

    @contextlib.contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Convert errors of ML Metadata to an error of one line."""
        from ml_metadata import errors

        try:
            yield
        except (RuntimeError, errors.StatusError) as err:
            raise unusable_server(self.where, err) from err


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
