"""Logging in to a MySQL server: each way in which it cannot be done says why."""

from __future__ import annotations

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from components.common.errors import ConfigError, ServiceError
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.mysql_client import logged_in
from tests.mariadb import DATABASE, PASSWORD, USER, Server, server


def _certificates(folder: pathlib.Path) -> None:
    """Make an authority, a certificate for 127.0.0.1, one of a client, and a foreign authority."""

    def openssl(*args: str) -> None:
        subprocess.run(['openssl', *args], cwd=folder, check=True, capture_output=True)

    new = ('-newkey', 'rsa:2048', '-nodes', '-subj')
    for authority in ('ca', 'foreign'):
        openssl('req', '-x509', *new, f'/CN={authority}', '-days', '1',
                '-keyout', f'{authority}.key', '-out', f'{authority}.pem')  # fmt: skip
    (folder / 'server.ext').write_text('subjectAltName=IP:127.0.0.1\n')
    (folder / 'client.ext').write_text('subjectAltName=DNS:client\n')
    for name in ('server', 'client'):
        openssl('req', *new, f'/CN={name}', '-keyout', f'{name}.key', '-out', f'{name}.csr')
        openssl('x509', '-req', '-days', '1', '-in', f'{name}.csr', '-CA', 'ca.pem',
                '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', f'{name}.ext',
                '-out', f'{name}.pem')  # fmt: skip


@pytest.fixture(scope='module')
def tls(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp('tls')
    _certificates(folder)
    return folder


@pytest.fixture(scope='module')
def mariadb(tmp_path_factory: pytest.TempPathFactory, tls: pathlib.Path) -> Iterator[Server]:
    statements = ''.join(
        f"CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}' {requires};\n"
        f"GRANT ALL ON `reviews%`.* TO {user}@'%';\n"
        for user, requires in [('tls_only', 'REQUIRE SSL'), ('with_cert', 'REQUIRE X509')]
    )
    statements += "CREATE USER nothing@'%';\n"
    files = {'ca': 'ca.pem', 'cert': 'server.pem', 'key': 'server.key'}
    options = tuple(f'--ssl-{what}={tls / file}' for what, file in files.items())
    with server(
        tmp_path_factory.mktemp('mariadb'), options=options, statements=statements
    ) as started:
        yield started


def refusal(settings: MetadataSettings, password: str | None = PASSWORD) -> ServiceError:
    with pytest.raises(ServiceError, match=r'\w') as found, logged_in(settings, password):
        pytest.fail('it lets us in')
    assert found.value.exit_code == 7
    assert PASSWORD not in f'{found.value} {found.value.hint}'
    assert found.value.hint
    return found.value


@pytest.mark.parametrize('way', ['host', 'name', 'socket'])
def test_number_is_read_when_the_account_is_right(mariadb: Server, way: str) -> None:
    changed: dict[str, object] = {
        'host': {},
        'name': {'host': 'localhost'},
        'socket': {'host': None, 'socket': mariadb.socket},
    }[way]
    with logged_in(mariadb.settings(**changed), PASSWORD) as client:
        assert 'MariaDB' in client.version
        assert not client.version.startswith('5.5.5')
        assert client.number('SELECT 4711') == 4711
        assert client.number('SELECT NULL') is None
        assert client.number('SELECT 1 FROM DUAL WHERE 1 = 0') is None
        assert client.number('SELECT schema_version FROM NotThere') is None
        assert client.number('SELECT -1') == -1  # the connection is in step
    status = mariadb.execute('SHOW GLOBAL STATUS LIKE "Aborted_clients"')
    assert status == [['Aborted_clients', '0']]


@pytest.mark.parametrize(
    ('changed', 'password', 'told', 'hint'),
    [
        ({}, 'wrong', r'Access denied for user .*\(1045\)$', 'METADATA_PASSWORD'),
        ({}, None, r'Access denied .*using password: NO\) \(1045\)$', 'none was given'),
        ({'user': 'nobody'}, PASSWORD, r'Access denied for user .nobody.*\(1045\)$', 'PASSWORD'),
        ({'user': 'nothing'}, None, r'\(1044\)$', f'GRANT ALL ON {DATABASE}.* TO nothing'),
        ({'database': 'reviews_x'}, PASSWORD, r'Unknown database .*\(1049\)$', 'CREATE DATABASE'),
        ({'user': 'tls_only'}, PASSWORD, r'Access denied', 'PASSWORD'),
        ({'host': 'no.such.invalid'}, PASSWORD, 'cannot reach .*: (Name|No address|Temp)', 'start'),
    ],
)
def test_reason_is_told_when_the_server_refuses(
    mariadb: Server, changed: dict[str, object], password: str | None, told: str, hint: str
) -> None:
    error = refusal(mariadb.settings(**changed), password)
    assert re.search(told, str(error))
    assert hint in error.hint


def test_place_is_told_when_nothing_listens_there(mariadb: Server, tmp_path: pathlib.Path) -> None:
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        port = unused.getsockname()[1]
        error = refusal(mariadb.settings(port=port))
    assert str(error) == (
        f'cannot reach the MySQL database reviews at 127.0.0.1:{port}: Connection refused'
    )
    gone = tmp_path / 'gone.sock'
    error = refusal(mariadb.settings(host=None, socket=str(gone)))
    assert str(error) == (
        f'cannot reach the MySQL database reviews at {gone}: No such file or directory'
    )


class TestTls:
    def test_connection_is_encrypted_when_an_authority_is_named(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        settings = mariadb.settings(user='tls_only', tls={'ca': str(tls / 'ca.pem')})
        with logged_in(settings, PASSWORD) as client:
            assert client.number('SELECT 1') == 1

    def test_certificate_is_shown_when_the_server_wants_one(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        own = {name: str(tls / file) for name, file in
               [('ca', 'ca.pem'), ('cert', 'client.pem'), ('key', 'client.key')]}  # fmt: skip
        with logged_in(mariadb.settings(user='with_cert', tls=own), PASSWORD) as client:
            assert client.number('SELECT 1') == 1
        without = mariadb.settings(user='with_cert', tls={'ca': own['ca']})
        assert 'Access denied' in str(refusal(without))

    def test_server_is_refused_when_another_authority_signed(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        error = refusal(mariadb.settings(tls={'ca': str(tls / 'foreign.pem')}))
        assert re.search(r'certificate of .* is not trusted: ', str(error))

    def test_server_is_refused_when_the_certificate_is_for_another_name(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        error = refusal(mariadb.settings(host='localhost', tls={'ca': str(tls / 'ca.pem')}))
        assert 'is not trusted' in str(error)
        assert 'localhost' in str(error)

    def test_files_are_named_when_they_cannot_be_used(
        self, mariadb: Server, tls: pathlib.Path
    ) -> None:
        settings = mariadb.settings(tls={'ca': str(tls / 'none.pem')})
        told = r'none\.pem\): No such file'
        with pytest.raises(ConfigError, match=told), logged_in(settings, PASSWORD):
            pass


class _Played:
    """A server that says what a test has it say, for one connection."""

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
            with contextlib.suppress(ConnectionError):  # it may have hung up on us
                connection.recv(4096)

    def __enter__(self) -> MetadataSettings:
        return MetadataSettings(
            backend='mysql', host='127.0.0.1', port=self.port, database='reviews', user=USER
        )

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._thread.join(10)


def _greeting(plugin: str) -> bytes:
    """Greet as MySQL 8 does: protocol 10, version, connection, nonce, what it can, plugin."""
    can = 0xFFFF_F7FF.to_bytes(4, 'little')
    return (
        b'\x0a8.0.36\0' + bytes([7, 0, 0, 0]) + b'12345678\0' + can[:2] + b'\xff\x02\0' + can[2:]
        + bytes([21]) + bytes(10) + b'123456789012\0' + plugin.encode() + b'\0'
    )  # fmt: skip


_SHA2 = 'caching_sha2_password'
_OPEN = """
import sys
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
config = metadata_store_pb2.ConnectionConfig()
config.mysql.host, config.mysql.port = '127.0.0.1', int(sys.argv[1])
config.mysql.user = config.mysql.password = config.mysql.database = 'reviews'
metadata_store.MetadataStore(config)
"""
_SWITCH = b'\xfe' + _SHA2.encode() + b'\0' + b'1234567890' * 2 + b'\0'


def test_way_to_log_in_is_named_when_ml_metadata_does_not_know_it() -> None:
    with _Played(_greeting(_SHA2), _SWITCH) as settings:
        error = refusal(settings)
    assert f'{USER} logs in to {settings.where} by {_SHA2}' in str(error)
    assert 'mysql_native_password' in error.hint


def test_old_format_is_named_when_the_account_has_such_a_password() -> None:
    with _Played(_greeting('mysql_native_password'), b'\xfe') as settings:
        error = refusal(settings)
    assert f'{USER} logs in to {settings.where} by the old password format' in str(error)
    assert 'mysql_native_password' in error.hint


def test_ml_metadata_says_nothing_of_use_when_it_does_not_know_the_way_to_log_in() -> None:
    # That is why we ask first. Where this fails, its client has learned it.
    with _Played(_greeting(_SHA2), _SWITCH) as settings:
        # In another process: while it waits for an answer, no thread of this one goes on.
        done = subprocess.run(
            [sys.executable, '-c', _OPEN, str(settings.port)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.stderr.endswith('RuntimeError: mysql_real_connect failed: errno: , error: \n')


@pytest.mark.parametrize(
    ('packets', 'told'),
    [
        ([b'HTTP/1.1 400 Bad Request'], 'what answers there is no MySQL server'),
        ([b'\xff\x10\x04Too many connections'], r'refuses: Too many connections \(1040\)'),
        ([_greeting('mysql_native_password'), b'\x01more'], 'not understand'),
        ([b''], 'no MySQL server'),
    ],
)
def test_answer_is_told_when_it_is_none_of_a_server_that_lets_us_in(
    packets: list[bytes], told: str
) -> None:
    with _Played(*packets) as settings:
        error = refusal(settings)
    assert re.search(told, str(error))
    # Where it is, is known, if it greets us.
    assert ('metadata.host' in error.hint) == ('no MySQL server' in told)


def test_server_is_refused_when_it_has_no_tls_and_should(tls: pathlib.Path) -> None:
    with _Played(_greeting('mysql_native_password'), b'\0') as settings:
        secure = MetadataSettings.model_validate(
            {**settings.model_dump(), 'tls': {'ca': str(tls / 'ca.pem')}}
        )
        assert 'has no TLS' in str(refusal(secure))
