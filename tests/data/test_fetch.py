"""Downloads from a loopback server: complete and verified files, or an error."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import http.server
import os
import pathlib
import random
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from components.common.errors import ConfigError, DataError
from data.fetch import CHUNK_BYTES, fetch

BODY = random.Random(7).randbytes(2 * CHUNK_BYTES + 12_345)
SHA256 = hashlib.sha256(BODY).hexdigest()


@dataclasses.dataclass
class Remote:
    """A file on a loopback HTTP server.

    Attributes:
        url: Its address.
        body: What it holds.
        headers: Sent with each response.
        failures: Responses to the first requests: a status, or the number of bytes
            after which the connection ends.
        requests: Number of requests so far.
    """

    url: str = ''
    body: bytes = BODY
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    has_length: bool = True
    failures: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    requests: int = 0

    def fetch(self, destination: pathlib.Path, **options: Any) -> pathlib.Path:
        known: dict[str, Any] = {'sha256': SHA256, 'size_bytes': len(BODY)}
        return fetch(destination, url=self.url, **{**known, **options})


def make_handler(remote: Remote) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            del format, args

        def do_GET(self) -> None:
            remote.requests += 1
            kind, number = remote.failures.pop(0) if remote.failures else ('', 0)
            self.send_response(number if kind == 'status' else 200)
            for name, value in remote.headers.items():
                self.send_header(name, value)
            if remote.has_length:
                self.send_header('Content-Length', str(len(remote.body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(remote.body[:number] if kind == 'cut' else remote.body)

    return Handler


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    # The machine's own proxy must not stand between a test and its server.
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.setattr('pooch.core.time.sleep', lambda _: None)
    remote = Remote()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), make_handler(remote))
    remote.url = f'http://127.0.0.1:{server.server_port}/reviews.tar.gz'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    yield remote
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def destination(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / 'downloads' / 'reviews.tar.gz'


def content(destination: pathlib.Path) -> dict[str, bytes]:
    """Return the files in the folder of the destination."""
    return {path.name: path.read_bytes() for path in destination.parent.iterdir()}


@pytest.mark.parametrize('encoding', [{}, {'Content-Encoding': 'gzip'}], ids=['plain', 'labelled'])
@pytest.mark.parametrize('has_length', [True, False])
def test_file_is_downloaded_byte_for_byte_and_progress_is_reported(
    remote: Remote, destination: pathlib.Path, encoding: dict[str, str], *, has_length: bool
) -> None:
    remote.headers, remote.has_length = encoding, has_length
    calls: list[tuple[int, int]] = []
    remote.fetch(destination, on_progress=lambda done, total: calls.append((done, total)))
    assert content(destination) == {'reviews.tar.gz': BODY}
    assert destination.stat().st_mode & 0o777 == 0o644
    assert (CHUNK_BYTES, len(BODY)) in calls
    assert calls[2] == (len(BODY), len(BODY))


def test_no_request_is_sent_when_the_file_exists(remote: Remote, destination: pathlib.Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(BODY)
    assert remote.fetch(destination, sha256=SHA256.upper()) == destination
    assert remote.requests == 0


@pytest.mark.parametrize('failure', [('cut', CHUNK_BYTES + 1), ('status', 503)])
def test_download_is_repeated_when_it_fails_once(
    remote: Remote, destination: pathlib.Path, failure: tuple[str, int]
) -> None:
    remote.failures = [failure]
    remote.fetch(destination)
    assert content(destination) == {'reviews.tar.gz': BODY}


@pytest.mark.parametrize('present', [{}, {'reviews.tar.gz': b'an earlier file'}])
@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'failures': [('status', 404)] * 3}, 'cannot download http.*: 404 Client Error'),
        ({'failures': [('cut', 9)] * 3}, 'cannot download http.*: .*9 bytes read'),
        ({'body': BODY[:-1]}, 'is not the expected file: SHA256 hash .* does not match'),
        ({'body': BODY * 2}, 'it is larger than 2,109,497 bytes'),
        ({'body': BODY * 2, 'has_length': False}, 'it is larger than 2,109,497 bytes'),
    ],
)
def test_destination_stays_as_it_was_when_the_download_fails(
    remote: Remote,
    destination: pathlib.Path,
    changes: dict[str, Any],
    message: str,
    present: dict[str, bytes],
) -> None:
    destination.parent.mkdir()
    for name, data in present.items():
        (destination.parent / name).write_bytes(data)
    for name, value in changes.items():
        setattr(remote, name, copy.copy(value))
    with pytest.raises(DataError, match=message) as caught:
        remote.fetch(destination)
    assert 'with a browser and pass the file with --data' in caught.value.hint
    assert content(destination) == present


def test_error_names_the_cause_when_the_connection_is_refused(
    remote: Remote, destination: pathlib.Path
) -> None:
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        remote.url = f'http://127.0.0.1:{unused.getsockname()[1]}/reviews.tar.gz'
        with pytest.raises(DataError, match=r'reviews\.tar\.gz: .*Connection refused$') as caught:
            remote.fetch(destination)
    assert caught.value.hint.startswith('check the network connection')


def test_error_names_the_address_when_it_is_not_http(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.url = 'file:///etc/passwd'
    with pytest.raises(DataError, match='cannot download file:///etc/passwd'):
        remote.fetch(destination)


def test_error_names_the_destination_when_it_cannot_be_written(
    remote: Remote, destination: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match='is a folder; expected the name of a file'):
        remote.fetch(destination.parent.parent)
    destination.parent.write_text('a file')
    with pytest.raises(ConfigError, match='cannot write .*reviews'):
        remote.fetch(destination)


def test_nothing_is_left_when_the_disk_is_full(remote: Remote, destination: pathlib.Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK_BYTES, limits[1]))
    try:
        with pytest.raises(ConfigError, match='no space left for .*: File too large') as caught:
            remote.fetch(destination)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert 'free some space' in caught.value.hint
    assert os.listdir(destination.parent) == []
