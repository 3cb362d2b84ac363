"""Logs in to a MySQL server, and says why it cannot.

ML Metadata's client reports each failure as `mysql_real_connect failed: errno: , error: `,
and takes a server without TLS, or with anybody's certificate, for one with. So this does
once what that client does each time, and no more: the handshake of MySQL's protocol, the
one way to log in that the client knows, and queries for one number. It is described at
https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import struct
from collections.abc import Iterator

from components.common.errors import ConfigError, ServiceError
from pipeline.settings.metadata import PASSWORD_VARIABLE, MetadataSettings

# The only one that ML Metadata's client knows, in 1.16 and in 1.21.
_PLUGIN = 'mysql_native_password'
_SECONDS = 10.0
_MOST_BYTES = 1 << 24
_UTF8MB4 = 45

# Capabilities, as the server and the client tell each other.
_LONG_PASSWORD, _CONNECT_WITH_DB, _PROTOCOL_41 = 1, 1 << 3, 1 << 9
_TLS, _TRANSACTIONS, _SECURE_CONNECTION, _PLUGIN_AUTH = 1 << 11, 1 << 13, 1 << 15, 1 << 19

# How an answer, a row or the end of them begins.
_OK, _NULL, _SWITCH, _END, _ERROR = 0x00, 0xFB, 0xFE, 0xFE, 0xFF
_QUERY, _QUIT = b'\x03', b'\x01'

# What the server says, by number.
_ACCESS_DENIED = frozenset({1045, 1698})
_NO_DATABASE = frozenset({1044, 1049})
_NO_TABLE = 1146
_PLUGIN_HINT = (
    f'on MySQL: ALTER USER … IDENTIFIED WITH {_PLUGIN} BY …; on MariaDB: IDENTIFIED VIA {_PLUGIN} '
    'USING PASSWORD(…)'
)
_WHERE_HINT = 'say where it is: metadata.host and metadata.port, or metadata.socket'


class _Refused(Exception):
    """The server answered with an error."""

    def __init__(self, packet: bytes) -> None:
        # 0xff, a number and, once the client is known, '#' and five characters.
        self.number = int.from_bytes(packet[1:3], 'little')
        text = packet[9:] if packet[3:4] == b'#' else packet[3:]
        super().__init__(f'{text.decode(errors="replace")} ({self.number})')


class Client:
    """A connection that is logged in.

    Attributes:
        version: What the server says of itself, as `10.11.19-MariaDB-0+deb12u1`.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sequence = 0
        self.version = ''

    def log_in(
        self, settings: MetadataSettings, password: str | None, tls: ssl.SSLContext | None
    ) -> None:
        """Greet the server, and log in; with `tls`, encrypted.

        Raises:
            _Refused: If the server does not want us.
            ServiceError: If it is no MySQL server, or its ways are not those of
                ML Metadata's client.
            OSError: If the connection breaks; ssl.SSLError is one.
        """
        greeting = self._receive()
        if greeting[0] != 10:
            raise ServiceError(
                f'what answers there is no MySQL server: {settings.where}', hint=_WHERE_HINT
            )
        version, _, rest = greeting[1:].partition(b'\0')
        # MariaDB calls itself 5.5.5 first, for the sake of old replicas.
        self.version = version.decode(errors='replace').removeprefix('5.5.5-')
        nonce = rest[4:12] + rest[31:43]
        offered = int.from_bytes(rest[13:15] + rest[18:20], 'little')
        flags = _LONG_PASSWORD | _CONNECT_WITH_DB | _PROTOCOL_41 | _TRANSACTIONS
        flags |= _SECURE_CONNECTION | _PLUGIN_AUTH | (_TLS if tls else 0)
        hello = struct.pack('<IIB23x', flags, _MOST_BYTES, _UTF8MB4)
        if tls:
            if not offered & _TLS:
                raise ServiceError(
                    f'{settings.where} has no TLS, and metadata.tls.ca is given',
                    hint='have TLS set up there, or leave metadata.tls out',
                )
            self._send(hello)
            self._socket = tls.wrap_socket(self._socket, server_hostname=settings.host)
        proof = _proof(password, nonce)
        self._send(
            hello
            + (settings.user or '').encode()
            + bytes([0, len(proof)])
            + proof
            + f'{settings.database}\0{_PLUGIN}\0'.encode()
        )
        while (answer := self._receive())[0] != _OK:
            if answer[0] != _SWITCH:
                raise ServiceError(
                    f'{settings.where} gives an answer that ML Metadata would not understand',
                    hint=_PLUGIN_HINT,
                )
            if len(answer) == 1:
                raise _other_plugin(settings, 'the old password format')
            plugin, _, nonce = answer[1:].partition(b'\0')
            if plugin.decode(errors='replace') != _PLUGIN:
                raise _other_plugin(settings, plugin.decode(errors='replace'))
            self._send(_proof(password, nonce.rstrip(b'\0')))

    def number(self, query: str) -> int | None:
        """Return the one number that a query gives; None if it is NULL or has no table."""
        self._sequence = 0
        self._send(_QUERY + query.encode())
        try:
            self._receive()  # how many columns there are: one
        except _Refused as err:
            if err.number == _NO_TABLE:
                return None
            raise
        self._receive()  # its name
        self._receive()  # the end of the columns
        row = self._receive()
        if row[0] == _END:
            return None
        self._receive()  # the end of the rows
        return None if row[0] == _NULL else int(row[1 : 1 + row[0]])

    def quit(self) -> None:
        """Take leave, so that the server does not count an aborted connection."""
        self._sequence = 0
        with contextlib.suppress(OSError):
            self._send(_QUIT)
        self._socket.close()

    def _send(self, payload: bytes) -> None:
        header = len(payload).to_bytes(3, 'little') + bytes([self._sequence])
        self._sequence = (self._sequence + 1) % 256
        self._socket.sendall(header + payload)

    def _receive(self) -> bytes:
        """Return what the next packet holds, at least one byte."""
        header = self._exactly(4)
        self._sequence = (header[3] + 1) % 256
        payload = self._exactly(int.from_bytes(header[:3], 'little')) or b'\0'
        if payload[0] == _ERROR:
            raise _Refused(payload)
        return payload

    def _exactly(self, size: int) -> bytes:
        received = b''
        while len(received) < size:
            part = self._socket.recv(size - len(received))
            if not part:
                raise ConnectionError('it closed the connection')
            received += part
        return received


@contextlib.contextmanager
def logged_in(settings: MetadataSettings, password: str | None) -> Iterator[Client]:
    """Log in to the server of a store, for the time of the block.

    Args:
        settings: Of the backend `mysql`.
        password: None for an account without one.

    Raises:
        ConfigError: If a file of `tls` cannot be used.
        ServiceError: If it cannot be reached, refuses, or is none that ML Metadata's
            client can talk to.
    """
    tls = _tls_context(settings)
    try:
        client = Client(_connect(settings))
        try:
            client.log_in(settings, password, tls)
            yield client
        finally:
            client.quit()
    except _Refused as err:
        raise _explained(settings, err, password is not None) from err
    except ssl.SSLCertVerificationError as err:
        raise ServiceError(
            f'the certificate of {settings.where} is not trusted: {err.verify_message}',
            hint='metadata.tls.ca is the file of who signed it; metadata.host the name in it',
        ) from err
    except ssl.SSLError as err:
        raise ServiceError(
            f'cannot talk by TLS to {settings.where}: {err.reason or err}',
            hint='ask who runs the server whether it wants a certificate: metadata.tls.cert',
        ) from err
    except OSError as err:
        raise ServiceError(
            f'cannot reach {settings.where}: {err.strerror or err}',
            hint=f'start it, or {_WHERE_HINT}',
        ) from err


def _connect(settings: MetadataSettings) -> socket.socket:
    if settings.socket is None:
        return socket.create_connection((settings.host, settings.port), timeout=_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SECONDS)
    try:
        connection.connect(settings.socket)
    except OSError:
        connection.close()
        raise
    return connection


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
            hint='expected PEM: certificates, and the key that belongs to the own one',
        ) from err
    return context


def _proof(password: str | None, nonce: bytes) -> bytes:
    """Show that the password is known: SHA1(password) xor SHA1(nonce + SHA1(SHA1(password)))."""
    if not password:
        return b''
    once = hashlib.sha1(password.encode()).digest()
    salted = hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, salted))


def _other_plugin(settings: MetadataSettings, plugin: str) -> ServiceError:
    return ServiceError(
        f'{settings.user} logs in to {settings.where} by {plugin}, and ML Metadata can only by '
        f'{_PLUGIN}',
        hint=_PLUGIN_HINT,
    )


def _explained(settings: MetadataSettings, error: _Refused, with_password: bool) -> ServiceError:
    if error.number in _NO_DATABASE:
        hint = (
            f'there, CREATE DATABASE {settings.database}; GRANT ALL ON {settings.database}.* TO '
            f'{settings.user}; ML Metadata makes its tables itself'
        )
    elif error.number in _ACCESS_DENIED:
        hint = f'the password comes by {PASSWORD_VARIABLE}, or metadata.password_file'
        hint += '' if with_password else '; none was given'
    else:
        hint = 'see metadata in the settings, or ask who runs the server'
    return ServiceError(f'{settings.where} refuses: {error}', hint=hint)
