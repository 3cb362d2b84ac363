"""Connections to a MySQL server: each reason for a failure is reported."""

from __future__ import annotations

import contextlib
import pathlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from components.common.errors import ConfigError, ServiceError
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.mysql_connection import connect, read_number
from tests.mariadb import DATABASE, PASSWORD, USER, Server, server


@pytest.fixture(scope='module')
def tls(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with an authority, certificates for 127.0.0.1 and a client, and a foreign one."""
    folder = tmp_path_factory.mktemp('tls')

    def openssl(*args: str) -> None:
        subprocess.run(['openssl', *args], cwd=folder, check=True, capture_output=True)

    new = ('-newkey', 'rsa:2048', '-nodes', '-subj')
    for authority in ('ca', 'foreign'):
        openssl('req', '-x509', *new, f'/CN={authority}', '-days', '1',
                '-keyout', f'{authority}.key', '-out', f'{authority}.pem')  # fmt: skip
    for name, address in (('server', 'IP:127.0.0.1'), ('client', 'DNS:client')):
        (folder / f'{name}.ext').write_text(f'subjectAltName={address}\n')
        openssl('req', *new, f'/CN={name}', '-keyout', f'{name}.key', '-out', f'{name}.csr')
        openssl('x509', '-req', '-days', '1', '-in', f'{name}.csr', '-CA', 'ca.pem',
                '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', f'{name}.ext',
                '-out', f'{name}.pem')  # fmt: skip
    return folder


@pytest.fixture(scope='module')
def mariadb(tmp_path_factory: pytest.TempPathFactory, tls: pathlib.Path) -> Iterator[Server]:
    statements = ''.join(
        f"CREATE USER {user}@'%' IDENTIFIED {how};\nGRANT ALL ON `reviews%`.* TO {user}@'%';\n"
        for user, how in [
            ('tls_only', f"BY '{PASSWORD}' REQUIRE SSL"),
            ('with_cert', f"BY '{PASSWORD}' REQUIRE X509"),
        ]
    )
    statements += "CREATE USER nothing@'%';\n"
    files = {'ca': 'ca.pem', 'cert': 'server.pem', 'key': 'server.key'}
    options = tuple(f'--ssl-{option}={tls / file}' for option, file in files.items())
    with server(
        tmp_path_factory.mktemp('mariadb'), options=options, statements=statements
    ) as started:
        yield started


def _error(settings: MetadataSettings, password: str | None = PASSWORD) -> ServiceError:
    with pytest.raises(ServiceError, match=r'^[^\n]+$') as found, connect(settings, password):
        pytest.fail('the connection was accepted')
    assert found.value.exit_code == 7
    assert PASSWORD not in f'{found.value} {found.value.hint}'
    assert found.value.hint
    return found.value


@pytest.mark.parametrize('address', ['host', 'name', 'socket'])
def test_number_is_read_when_the_account_is_right(mariadb: Server, address: str) -> None:
    changes = {
        'host': {},
        'name': {'host': 'localhost'},
        'socket': {'host': None, 'socket': mariadb.socket},
    }
    with connect(mariadb.settings(**changes[address]), PASSWORD) as connection:
        assert read_number(connection, 'SELECT NULL') is None
        assert read_number(connection, 'SELECT 1 FROM DUAL WHERE 1 = 0') is None
        assert read_number(connection, 'SELECT schema_version FROM NotThere') is None
        assert read_number(connection, 'SELECT -4711') == -4711
    status = mariadb.execute('SHOW GLOBAL STATUS LIKE "Aborted_clients"')
    assert status == [['Aborted_clients', '0']]


@pytest.mark.parametrize(
    ('changed', 'password', 'expected', 'hint'),
    [
        ({}, 'wrong', r'Access denied for user .*\(1045\)$', 'METADATA_PASSWORD'),
        ({}, None, r'Access denied .*using password: NO\) \(1045\)$', 'METADATA_PASSWORD'),
        ({'user': 'nobody'}, PASSWORD, r'Access denied for user .nobody.*\(1045\)$', 'PASSWORD'),
        ({'user': 'nothing'}, None, r'\(1044\)$', f'GRANT ALL ON {DATABASE}.* TO nothing'),
        ({'database': 'reviews_x'}, PASSWORD, r'Unknown database .*\(1049\)$', 'CREATE DATABASE'),
        ({'user': 'tls_only'}, PASSWORD, r'Access denied', 'PASSWORD'),
        ({'host': 'no.such.invalid'}, PASSWORD, 'cannot reach .*(Name|No address|Temp)', 'start'),
        ({'host': None, 'socket': '/gone'}, PASSWORD, 'reviews at /gone: .*No such file', 'start'),
        ({'port': 9}, PASSWORD, '^cannot reach .* at 127.0.0.1:9: .*Connection refused', 'start'),
    ],
)
def test_reason_is_reported_when_the_server_cannot_be_used(
    mariadb: Server, changed: dict[str, object], password: str | None, expected: str, hint: str
) -> None:
    error = _error(mariadb.settings(**changed), password)
    assert re.search(expected, str(error))
    assert hint in error.hint


def test_failed_query_is_reported_when_the_connection_was_accepted(mariadb: Server) -> None:
    with (
        pytest.raises(ServiceError, match=r'You have an error in your SQL syntax.*\(1064\)$'),
        connect(mariadb.settings(), PASSWORD) as connection,
    ):
        read_number(connection, 'SELECT')


class TestTls:
    def test_connection_is_encrypted_when_an_authority_is_set(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        settings = mariadb.settings(user='tls_only', tls={'ca': str(tls / 'ca.pem')})
        with connect(settings, PASSWORD) as connection:
            assert read_number(connection, 'SELECT 1') == 1

    def test_certificate_is_sent_when_the_server_requires_one(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        own = {name: str(tls / file) for name, file in
               [('ca', 'ca.pem'), ('cert', 'client.pem'), ('key', 'client.key')]}  # fmt: skip
        with connect(mariadb.settings(user='with_cert', tls=own), PASSWORD) as connection:
            assert read_number(connection, 'SELECT 1') == 1
        without = mariadb.settings(user='with_cert', tls={'ca': own['ca']})
        assert 'Access denied' in str(_error(without))

    @pytest.mark.parametrize(
        ('host', 'ca', 'expected'),
        [
            ('127.0.0.1', 'foreign.pem', 'certificate verify failed: '),
            ('localhost', 'ca.pem', "certificate verify failed: .*not valid for 'localhost'"),
        ],
    )
    def test_server_is_refused_when_its_certificate_is_not_trusted(
        self, mariadb: Server, tls: pathlib.Path, host: str, ca: str, expected: str
    ) -> None:
        error = _error(mariadb.settings(host=host, tls={'ca': str(tls / ca)}))
        assert re.search(expected, str(error))
        assert 'metadata.tls: ca is the authority' in error.hint

    def test_files_are_reported_when_they_cannot_be_used(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        settings = mariadb.settings(tls={'ca': str(tls / 'none.pem')})
        with (
            pytest.raises(ConfigError, match=r'none\.pem\): No such file'),
            connect(settings, PASSWORD),
        ):
            pytest.fail('the connection was accepted')


class _FakeServer:
    """A server that sends given packets over one connection."""

    def __init__(self, *packets: bytes) -> None:
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.port = self._listening.getsockname()[1]
        self._packets = packets
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._listening.accept()[0] as connection:
            for number, packet in enumerate(self._packets):
                if number:
                    connection.recv(4096)
                sequence = bytes([2 * number])
                connection.sendall(len(packet).to_bytes(3, 'little') + sequence + packet)
            with contextlib.suppress(ConnectionError):
                connection.recv(4096)

    def __enter__(self) -> MetadataSettings:
        return MetadataSettings(
            backend='mysql', host='127.0.0.1', port=self.port, database='reviews', user=USER
        )

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._thread.join(300)


def _greeting(plugin: str) -> bytes:
    """Return the greeting of MySQL 8: protocol 10, version, connection, nonce, capabilities."""
    capabilities = 0xFFFF_F7FF.to_bytes(4, 'little')
    return (
        b'\x0a8.0.36\0' + bytes([7, 0, 0, 0]) + b'12345678\0' + capabilities[:2] + b'\xff\x02\0'
        + capabilities[2:] + bytes([21]) + bytes(10) + b'123456789012\0' + plugin.encode() + b'\0'
    )  # fmt: skip


_NATIVE = 'mysql_native_password'
_SHA2 = 'caching_sha2_password'
_SWITCH = b'\xfe' + _SHA2.encode() + b'\0' + b'1234567890' * 2 + b'\0'
_FAST_SUCCESS = b'\x01\x03'


@pytest.mark.parametrize(
    'packets',
    [
        (_greeting(_NATIVE), _SWITCH),
        (_greeting(_SHA2), _FAST_SUCCESS),
        (_greeting(_NATIVE), _SWITCH.replace(_SHA2.encode(), b'auth_gssapi_client')),
    ],
)
def test_plugin_is_reported_when_ml_metadata_does_not_support_it(packets: list[bytes]) -> None:
    with _FakeServer(*packets) as settings:
        error = _error(settings)
    assert re.search(f'lugin .*({_SHA2}|gssapi)', str(error))
    assert f'ML Metadata supports {_NATIVE} only' in error.hint


@pytest.mark.parametrize(
    ('packets', 'expected'),
    [
        ([b'HTTP/1.1 400 Bad Request'], 'expected a MySQL server'),
        ([b''], 'expected a MySQL server'),
        ([b'\xff\x10\x04Too many connections'], r'cannot use .*: Too many connections \(1040\)'),
        ([_greeting(_NATIVE), b'\x01more'], 'cannot use .*: .*extra packet'),
    ],
)
def test_answer_is_reported_when_it_is_unexpected(packets: list[bytes], expected: str) -> None:
    with _FakeServer(*packets) as settings:
        error = _error(settings)
    assert re.search(expected, str(error))
    assert 'metadata.host' in error.hint or 'expected a MySQL' not in expected


def test_server_is_refused_when_it_has_no_tls_and_an_authority_is_set(tls: pathlib.Path) -> None:
    with _FakeServer(_greeting(_NATIVE), b'\0') as settings:
        secure = MetadataSettings.model_validate(
            {**settings.model_dump(), 'tls': {'ca': str(tls / 'ca.pem')}}
        )
        assert re.search("SSL is required but the server doesn't support it", str(_error(secure)))
