"""Connects to a MySQL server with PyMySQL, and explains why that fails.

ML Metadata's own client reports every failure as `mysql_real_connect failed: errno: ,
error: `, and accepts any certificate. Before a command opens the store, it therefore
connects with PyMySQL. It uses what that client uses: the same account, the same encryption,
and the only authentication plugin that the client supports.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import struct
from collections.abc import Iterator
from typing import Any, NoReturn

import pymysql
from pymysql.constants import CR, ER

from components.common.errors import ConfigError, ServiceError
from pipeline.settings.metadata import PASSWORD_VARIABLE, MetadataSettings

# The only authentication plugin that ML Metadata's client supports, in 1.16 and in 1.21.
_PLUGIN = 'mysql_native_password'
_OTHER_PLUGINS = (
    'caching_sha2_password',
    'client_ed25519',
    'mysql_clear_password',
    'mysql_old_password',
    'sha256_password',
)
_TIMEOUT_SECONDS = 10


def _refuse_plugin(name: str, connection: Any) -> NoReturn:
    raise pymysql.OperationalError(CR.CR_AUTH_PLUGIN_CANNOT_LOAD, f'it requires the plugin {name}')


@contextlib.contextmanager
def connect(settings: MetadataSettings, password: str | None) -> Iterator[Any]:
    """Connect to the server of a metadata store for the duration of the block.

    Args:
        settings: Settings of the backend `mysql`.
        password: Password of the account; None if it has none.

    Yields:
        The `pymysql.Connection`.

    Raises:
        ConfigError: If a file of `metadata.tls` cannot be used.
        ServiceError: If the server cannot be reached, refuses the connection or a query,
            or requires what ML Metadata's client does not support.

    Example:
        with connect(config.metadata, password) as connection:
            read_number(connection, 'SELECT MAX(id) FROM Execution')
    """
    tls = _tls_context(settings)
    try:
        connection = pymysql.connect(
            host=settings.host or 'localhost',
            port=settings.port,
            unix_socket=settings.socket,
            user=settings.user,
            # As bytes, because PyMySQL encodes text as Latin-1.
            password=(password or '').encode(),
            database=settings.database,
            ssl=tls,
            ssl_disabled=tls is None,
            connect_timeout=_TIMEOUT_SECONDS,
            read_timeout=_TIMEOUT_SECONDS,
            auth_plugin_map={
                name: functools.partial(_refuse_plugin, name) for name in _OTHER_PLUGINS
            },
        )
        try:
            yield connection
        finally:
            with contextlib.suppress(pymysql.Error):
                connection.close()
    except pymysql.Error as err:
        raise _explain(settings, err) from err
    except (ValueError, LookupError, struct.error) as err:
        # PyMySQL cannot read the first message of the server.
        raise ServiceError(
            f'expected a MySQL server at {settings.where}, got another kind of server',
            hint='set metadata.host and metadata.port, or metadata.socket',
        ) from err


def read_number(connection: Any, query: str) -> int | None:
    """Return the number that a query selects; None for NULL, no row or a missing table."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(query)
        except pymysql.ProgrammingError as err:
            if err.args[0] == ER.NO_SUCH_TABLE:
                return None
            raise
        row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _tls_context(settings: MetadataSettings) -> ssl.SSLContext | None:
    tls = settings.tls
    if tls.ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert and tls.key:
            context.load_cert_chain(tls.cert, tls.key)
    except OSError as err:
        files = ', '.join(filter(None, (tls.ca, tls.cert, tls.key)))
        raise ConfigError(
            f'cannot use the files of metadata.tls ({files}): {err.strerror or err}',
            hint='expected PEM files: certificates, and the private key of metadata.tls.cert',
        ) from err
    return context


def _explain(settings: MetadataSettings, error: pymysql.Error) -> ServiceError:
    """Return the error for a server; PyMySQL and the server give the reason."""
    number, text = error.args if len(error.args) == 2 else (None, str(error))
    problem = 'cannot use'
    if number in (CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_LOST, CR.CR_SSL_CONNECTION_ERROR):
        problem = 'cannot reach'
        hint = (
            'start the server, or correct metadata.host and metadata.port, metadata.socket, or '
            'metadata.tls: ca is the authority that signed the certificate of that host'
        )
    elif number == CR.CR_AUTH_PLUGIN_CANNOT_LOAD:
        hint = (
            f'ML Metadata supports {_PLUGIN} only; on MySQL: ALTER USER … IDENTIFIED WITH '
            f'{_PLUGIN} BY …; on MariaDB: IDENTIFIED VIA {_PLUGIN} USING PASSWORD(…)'
        )
    elif number in (ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR):
        hint = (
            f'on the server: CREATE DATABASE {settings.database}; GRANT ALL ON '
            f'{settings.database}.* TO {settings.user}; ML Metadata creates the tables'
        )
    # 1698 is MariaDB's ER_ACCESS_DENIED_NO_PASSWORD_ERROR, for which PyMySQL has no name.
    elif number in (ER.ACCESS_DENIED_ERROR, 1698):
        hint = f'set the password in {PASSWORD_VARIABLE}, or the file metadata.password_file'
    else:
        hint = 'check the metadata settings, or ask the administrator of the server'
    return ServiceError(f'{problem} {settings.where}: {text} ({number or "no number"})', hint=hint)
