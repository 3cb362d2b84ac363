from __future__ import annotations

import collections
import dataclasses
import errno
import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import resource
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from components.common.errors import ConfigError, DataError
from data.fetch import CHUNK_BYTES, RetryPolicy, fetch, fetch_imdb

BODY = random.Random(7).randbytes(3 * CHUNK_BYTES + 12_345)
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER_BODY = random.Random(8).randbytes(len(BODY))
OTHER_SHA256 = hashlib.sha256(OTHER_BODY).hexdigest()
CUT_BYTES = CHUNK_BYTES + 1_000

ONCE = RetryPolicy(attempts=1, read_timeout_seconds=5)
PATIENT = RetryPolicy(attempts=3, first_wait_seconds=0.01, read_timeout_seconds=5)


@dataclasses.dataclass
class Fault:
    """What goes wrong with one request; by default nothing.

    Attributes:
        status: Answered in place of the file.
        cut_after_bytes: The connection ends after so much of the body.
        stall_after_bytes: The server falls silent after so much of the body.
        range_limit_bytes: A range is answered with no more than so much of it.
        location: Where the answer leads to.
    """

    status: int | None = None
    cut_after_bytes: int | None = None
    stall_after_bytes: int | None = None
    range_limit_bytes: int | None = None
    location: str | None = None


@dataclasses.dataclass
class Exchange:
    headers: dict[str, str]
    status: int = 0
    sent_bytes: int = 0


@dataclasses.dataclass
class Remote:
    """A file on a loopback HTTP server, its behaviour, and what it was asked."""

    url: str = ''
    body: bytes = BODY
    headers: dict[str, str] = dataclasses.field(default_factory=lambda: {'ETag': '"one"'})
    honours_range: bool = True
    honours_if_range: bool = True
    tells_length: bool = True
    range_shift_bytes: int = 0
    faults: collections.deque[Fault] = dataclasses.field(default_factory=collections.deque)
    exchanges: list[Exchange] = dataclasses.field(default_factory=list)
    released: threading.Event = dataclasses.field(default_factory=threading.Event)

    def range_start(self, headers: dict[str, str]) -> int | None:
        """Return the first byte to send, None for all with status 200."""
        match = re.fullmatch(r'bytes=(\d+)-', headers.get('Range', ''))
        if match is None or not self.honours_range:
            return None
        validators = (self.headers.get('ETag'), self.headers.get('Last-Modified'))
        if self.honours_if_range and headers.get('If-Range') not in validators:
            return None
        return int(match[1]) + self.range_shift_bytes


def make_handler(remote: Remote) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            del format, args

        def do_GET(self) -> None:
            exchange = Exchange(dict(self.headers.items()))
            remote.exchanges.append(exchange)
            fault = remote.faults.popleft() if remote.faults else Fault()
            start = remote.range_start(exchange.headers)
            headers = dict(remote.headers)
            body = remote.body
            if fault.status is not None:
                exchange.status, body, headers = fault.status, b'', {}
                if fault.location is not None:
                    headers['Location'] = fault.location
            elif start is None:
                exchange.status = 200
            elif start >= len(remote.body):
                exchange.status, body = 416, b'There is nothing after that.'
                headers['Content-Range'] = f'bytes */{len(remote.body)}'
            else:
                exchange.status = 206
                body = remote.body[start:][: fault.range_limit_bytes]
                last = start + len(body) - 1
                headers['Content-Range'] = f'bytes {start}-{last}/{len(remote.body)}'
            if remote.tells_length:
                headers['Content-Length'] = str(len(body))
            self.send_response(exchange.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if fault.stall_after_bytes is not None:
                self._send(exchange, body[: fault.stall_after_bytes])
                remote.released.wait(timeout=5)
            else:
                self._send(exchange, body[: fault.cut_after_bytes])

        def _send(self, exchange: Exchange, body: bytes) -> None:
            try:
                self.wfile.write(body)
            except ConnectionError:
                return
            exchange.sent_bytes = len(body)

    return Handler


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    # The machine's own proxy must not stand between a test and its server.
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    remote = Remote()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), make_handler(remote))
    remote.url = f'http://127.0.0.1:{server.server_port}/reviews.tar.gz'
    thread = threading.Thread(
        target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
    )
    thread.start()
    yield remote
    remote.released.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def destination(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / 'downloads' / 'reviews.tar.gz'


def part_of(destination: pathlib.Path) -> pathlib.Path:
    return destination.with_name('reviews.tar.gz.part')


def names_beside(destination: pathlib.Path) -> list[str]:
    return sorted(path.name for path in destination.parent.iterdir())


def leave_a_cut_off_download(remote: Remote, destination: pathlib.Path) -> None:
    remote.faults.append(Fault(cut_after_bytes=CUT_BYTES))
    with pytest.raises(DataError, match='could not be fetched in 1 attempts'):
        fetch(remote.url, destination, SHA256, retry=ONCE)
    assert part_of(destination).read_bytes() == BODY[:CUT_BYTES]
    assert not destination.exists()


def test_writes_the_file_and_nothing_else_when_all_goes_well(
    remote: Remote, destination: pathlib.Path
) -> None:
    assert fetch_imdb(destination, url=remote.url, sha256=SHA256.upper()) == destination
    assert destination.read_bytes() == BODY
    assert names_beside(destination) == ['reviews.tar.gz']
    assert 'Range' not in remote.exchanges[0].headers


def test_keeps_the_bytes_as_sent_when_the_server_labels_them_as_encoded(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.headers['Content-Encoding'] = 'x-gzip'
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY


def test_writes_the_file_when_the_server_tells_no_length(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.tells_length = False
    calls: list[tuple[int, int | None]] = []
    fetch(
        remote.url,
        destination,
        SHA256,
        retry=ONCE,
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert destination.read_bytes() == BODY
    assert calls[-1] == (len(BODY), None)


def test_second_call_fetches_only_the_rest_when_the_first_was_cut_off(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert names_beside(destination) == ['reviews.tar.gz']
    _, second = remote.exchanges
    assert second.headers['Range'] == f'bytes={CUT_BYTES}-'
    assert second.headers['If-Range'] == '"one"'
    assert (second.status, second.sent_bytes) == (206, len(BODY) - CUT_BYTES)


@pytest.mark.parametrize('etag', [{}, {'ETag': 'W/"weak"'}], ids=['no-etag', 'weak-etag'])
def test_resumes_by_date_when_the_server_has_no_strong_etag(
    remote: Remote, destination: pathlib.Path, etag: dict[str, str]
) -> None:
    date = 'Fri, 01 Jul 2011 00:00:00 GMT'
    remote.headers = {'Last-Modified': date, **etag}
    leave_a_cut_off_download(remote, destination)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert remote.exchanges[1].headers['If-Range'] == date
    assert remote.exchanges[1].status == 206


def test_starts_again_when_the_server_names_no_version(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.headers = {}
    leave_a_cut_off_download(remote, destination)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert 'Range' not in remote.exchanges[1].headers


def test_starts_again_when_the_note_of_the_version_is_damaged(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    destination.with_name('reviews.tar.gz.part.json').write_text('{"url": ')
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert 'Range' not in remote.exchanges[1].headers


def test_starts_again_when_the_part_came_from_another_address(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    fetch(f'{remote.url}?mirror', destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert 'Range' not in remote.exchanges[1].headers


def test_fetches_only_the_rest_when_cut_off_twice_within_one_call(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.faults.extend([Fault(cut_after_bytes=CUT_BYTES), Fault(cut_after_bytes=CUT_BYTES)])
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    ranges = [exchange.headers.get('Range') for exchange in remote.exchanges]
    assert ranges == [None, f'bytes={CUT_BYTES}-', f'bytes={2 * CUT_BYTES}-']
    assert sum(exchange.sent_bytes for exchange in remote.exchanges) == len(BODY)


def test_tries_again_when_the_server_falls_silent(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.faults.append(Fault(stall_after_bytes=CUT_BYTES))
    retry = RetryPolicy(attempts=2, first_wait_seconds=0.01, read_timeout_seconds=0.2)
    fetch(remote.url, destination, SHA256, retry=retry)
    assert destination.read_bytes() == BODY
    assert remote.exchanges[1].headers['Range'] == f'bytes={CHUNK_BYTES}-'


def test_starts_again_when_the_server_ignores_range(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.honours_range = False
    leave_a_cut_off_download(remote, destination)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert 'Range' in remote.exchanges[1].headers
    assert remote.exchanges[1].status == 200


def test_starts_again_when_the_remote_file_changed(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.body, remote.headers = OTHER_BODY, {'ETag': '"two"'}
    fetch(remote.url, destination, OTHER_SHA256, retry=ONCE)
    assert destination.read_bytes() == OTHER_BODY
    assert remote.exchanges[1].status == 200


def test_starts_again_when_the_remote_file_changed_and_if_range_is_ignored(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.body, remote.headers = OTHER_BODY, {'ETag': '"two"'}
    remote.honours_if_range = False
    fetch(remote.url, destination, OTHER_SHA256, retry=PATIENT)
    assert destination.read_bytes() == OTHER_BODY
    assert [exchange.status for exchange in remote.exchanges] == [200, 206, 200]


def test_starts_again_when_the_server_sends_another_range_than_asked(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.range_shift_bytes = 10
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    assert [exchange.status for exchange in remote.exchanges] == [200, 206, 200]


def test_starts_again_when_the_part_is_longer_than_the_remote_file(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    part_of(destination).write_bytes(BODY + b'and more')
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    assert [exchange.status for exchange in remote.exchanges] == [200, 416, 200]


def test_starts_again_when_the_remote_file_grew_under_the_same_version(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.body = OTHER_BODY + b'more'
    sha256 = hashlib.sha256(remote.body).hexdigest()
    fetch(remote.url, destination, sha256, retry=PATIENT)
    assert destination.read_bytes() == remote.body
    assert [exchange.status for exchange in remote.exchanges] == [200, 206, 200]


def test_starts_again_when_the_range_is_refused_without_a_size(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.faults.append(Fault(status=416))
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    assert [exchange.status for exchange in remote.exchanges] == [200, 416, 200]


def test_asks_for_the_rest_when_the_server_sends_less_than_the_range(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.faults.append(Fault(range_limit_bytes=500))
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    assert remote.exchanges[2].headers['Range'] == f'bytes={CUT_BYTES + 500}-'


def test_sends_no_request_when_the_part_is_known_to_be_whole(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    part_of(destination).write_bytes(BODY)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert len(remote.exchanges) == 1


def test_takes_the_part_as_whole_when_the_server_has_nothing_after_it(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.tells_length = False

    def interrupt(bytes_done: int, bytes_total: int | None) -> None:
        del bytes_total
        if bytes_done == len(BODY):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r'^$'):
        fetch(remote.url, destination, SHA256, retry=ONCE, on_progress=interrupt)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert [exchange.status for exchange in remote.exchanges] == [200, 416]


def test_keeps_the_part_when_interrupted(remote: Remote, destination: pathlib.Path) -> None:
    def interrupt(bytes_done: int, bytes_total: int | None) -> None:
        del bytes_total
        if bytes_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r'^$'):
        fetch(remote.url, destination, SHA256, retry=PATIENT, on_progress=interrupt)
    assert part_of(destination).read_bytes() == BODY[:CHUNK_BYTES]
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert remote.exchanges[1].status == 206


def test_deletes_the_part_when_the_checksum_is_wrong(
    remote: Remote, destination: pathlib.Path
) -> None:
    with pytest.raises(DataError, match=f'SHA-256 {SHA256}, expected {OTHER_SHA256}') as caught:
        fetch(remote.url, destination, OTHER_SHA256, retry=PATIENT)
    assert f'download {remote.url} by hand' in caught.value.hint
    assert '--data' in caught.value.hint
    assert names_beside(destination) == []
    assert len(remote.exchanges) == 1


def test_leaves_the_earlier_file_when_the_checksum_is_wrong(
    remote: Remote, destination: pathlib.Path
) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b'earlier')
    with pytest.raises(DataError, match='SHA-256'):
        fetch(remote.url, destination, OTHER_SHA256, retry=ONCE)
    assert destination.read_bytes() == b'earlier'
    assert names_beside(destination) == ['reviews.tar.gz']


def test_replaces_the_earlier_file_when_only_that_has_another_checksum(
    remote: Remote, destination: pathlib.Path
) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b'earlier')
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY


def test_gives_up_at_once_when_not_found(remote: Remote, destination: pathlib.Path) -> None:
    remote.faults.append(Fault(status=404))
    with pytest.raises(DataError, match='the server answered 404 Not Found') as caught:
        fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert caught.value.hint == f'download {remote.url} by hand and pass the file with --data'
    assert len(remote.exchanges) == 1
    assert names_beside(destination) == []


def test_keeps_the_part_when_the_server_refuses_to_resume(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    remote.faults.append(Fault(status=403))
    with pytest.raises(DataError, match='403 Forbidden'):
        fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert part_of(destination).read_bytes() == BODY[:CUT_BYTES]


@pytest.mark.parametrize('status', [408, 429, 500, 503])
def test_tries_again_when_the_server_has_a_passing_trouble(
    remote: Remote, destination: pathlib.Path, status: int
) -> None:
    remote.faults.append(Fault(status=status))
    fetch(remote.url, destination, SHA256, retry=PATIENT)
    assert destination.read_bytes() == BODY
    assert [exchange.status for exchange in remote.exchanges] == [status, 200]


def test_gives_up_with_growing_waits_when_the_trouble_lasts(
    remote: Remote, destination: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_seconds: list[float] = []
    monkeypatch.setattr('time.sleep', waits_seconds.append)
    remote.faults.extend([Fault(status=500)] * 9)
    with pytest.raises(DataError, match=r'in 4 attempts.*500 Internal Server Error'):
        fetch(remote.url, destination, SHA256, retry=RetryPolicy(attempts=4))
    assert waits_seconds == [1.0, 2.0, 4.0]
    assert len(remote.exchanges) == 4


def test_names_the_cause_when_the_connection_is_refused(
    destination: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    # Bound but not listening: nobody else can take the port meanwhile.
    with socket.socket() as unheard:
        unheard.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{unheard.getsockname()[1]}/reviews.tar.gz'
        with pytest.raises(
            DataError, match=r'in 3 attempts.*: \[Errno \d+\] Connection refused$'
        ) as caught:
            fetch(url, destination, SHA256, retry=PATIENT)
    assert f'or download {url} by hand' in caught.value.hint
    assert names_beside(destination) == []


def test_gives_up_at_once_when_the_address_is_none(destination: pathlib.Path) -> None:
    with pytest.raises(DataError, match='reviews cannot be fetched: Invalid URL'):
        fetch('reviews', destination, SHA256)


def test_sends_no_request_when_the_file_is_present(
    remote: Remote, destination: pathlib.Path
) -> None:
    destination.parent.mkdir()
    destination.write_bytes(BODY)
    assert fetch(remote.url, destination, SHA256.upper()) == destination
    assert remote.exchanges == []
    assert names_beside(destination) == ['reviews.tar.gz']


def test_progress_rises_to_the_total_when_resumed(
    remote: Remote, destination: pathlib.Path
) -> None:
    remote.faults.append(Fault(cut_after_bytes=CUT_BYTES))
    done_bytes: list[int] = []
    total_bytes: set[int | None] = set()

    def note(done: int, total: int | None) -> None:
        done_bytes.append(done)
        total_bytes.add(total)

    fetch(remote.url, destination, SHA256, retry=PATIENT, on_progress=note)
    assert done_bytes == sorted(done_bytes)
    assert (done_bytes[0], done_bytes[-1]) == (0, len(BODY))
    assert CUT_BYTES in done_bytes
    assert total_bytes == {len(BODY)}


def test_names_the_destination_when_its_folder_is_a_file(
    remote: Remote, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'occupied').write_bytes(b'')
    destination = tmp_path / 'occupied' / 'reviews.tar.gz'
    with pytest.raises(ConfigError, match=f'{re.escape(str(destination))} cannot be written') as e:
        fetch(remote.url, destination, SHA256)
    assert 'folder that you may write to' in e.value.hint
    assert remote.exchanges == []


def test_names_the_destination_when_it_is_a_folder(remote: Remote, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='is a folder, expected the name of a file'):
        fetch(remote.url, tmp_path, SHA256)
    assert remote.exchanges == []


def test_keeps_the_part_and_resumes_when_there_was_no_room(
    remote: Remote, destination: pathlib.Path
) -> None:
    # In the last chunk, which the disk takes in part and without an error.
    room_bytes = len(BODY) - 1_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        with pytest.raises(ConfigError, match=r'no room for .*reviews\.tar\.gz: ') as caught:
            fetch(remote.url, destination, SHA256, retry=ONCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert 'the same command goes on' in caught.value.hint
    assert part_of(destination).read_bytes() == BODY[:room_bytes]
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY
    assert remote.exchanges[1].headers['Range'] == f'bytes={room_bytes}-'


def test_leaves_the_part_alone_when_another_process_is_fetching(
    remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    with part_of(destination).open('rb') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DataError, match='another process is fetching'):
            fetch(remote.url, destination, SHA256)
    assert part_of(destination).read_bytes() == BODY[:CUT_BYTES]
    assert len(remote.exchanges) == 1


def test_leaves_the_file_alone_when_another_process_finished_it_just_now(
    remote: Remote, destination: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_a_cut_off_download(remote, destination)

    def lock_too_late(handle: Any, operation: int) -> None:
        del handle, operation
        part_of(destination).replace(destination)

    monkeypatch.setattr('fcntl.flock', lock_too_late)
    with pytest.raises(DataError, match='another process is fetching'):
        fetch(remote.url, destination, SHA256)
    assert destination.read_bytes() == BODY[:CUT_BYTES]
    assert len(remote.exchanges) == 1


def test_writes_the_file_when_the_file_system_has_no_locks(
    remote: Remote, destination: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: Any, operation: int) -> None:
        del handle, operation
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('fcntl.flock', no_locks)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert destination.read_bytes() == BODY


def test_reaches_the_disk_before_its_name_when_all_goes_well(
    remote: Remote, destination: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        steps.append('fsync')
        fsync(descriptor)

    def note_replace(source: pathlib.Path, target: pathlib.Path) -> None:
        steps.append('replace')
        replace(source, target)

    monkeypatch.setattr('os.fsync', note_fsync)
    monkeypatch.setattr('os.replace', note_replace)
    fetch(remote.url, destination, SHA256, retry=ONCE)
    assert steps == ['fsync', 'replace']


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('attempts', 0),
        ('first_wait_seconds', -1.0),
        ('connect_timeout_seconds', 0.0),
        ('read_timeout_seconds', -0.5),
    ],
)
def test_refuses_a_retry_policy_when_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f'{name} must be .*, got {value}'):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize('tells_length', [True, False])
def test_stops_and_keeps_nothing_when_the_body_is_longer_than_the_file(
    tells_length: bool, remote: Remote, destination: pathlib.Path
) -> None:
    remote.tells_length = tells_length
    with pytest.raises(DataError, match=f'more than the {len(BODY) - 1:,} bytes') as caught:
        fetch(remote.url, destination, SHA256, max_bytes=len(BODY) - 1, retry=ONCE)
    assert 'by hand' in caught.value.hint
    assert names_beside(destination) == []


@pytest.mark.parametrize(
    'content',
    [
        b'[' * 100_000,
        b'\xff',
        b'[]',
        b'{"url": "U", "validator": 5, "total_bytes": 9}',
        b'{"url": "U", "validator": "a\\nb: c", "total_bytes": 9}',
        b'{"url": "U", "validator": "\xc3\xa9", "total_bytes": 9}',
        b'{"url": "U", "validator": "a", "total_bytes": "9"}',
        b'{"url": "U", "validator": "a", "total_bytes": -1}',
        b'{"url": "U", "validator": "a", "total_bytes": 9, "x": 1}',
    ],
    ids=range(9),
)
def test_starts_again_when_what_is_known_of_the_part_is_damaged(
    content: bytes, remote: Remote, destination: pathlib.Path
) -> None:
    leave_a_cut_off_download(remote, destination)
    note = part_of(destination).with_name('reviews.tar.gz.part.json')
    note.write_bytes(content.replace(b'"U"', json.dumps(remote.url).encode()))
    assert fetch(remote.url, destination, SHA256, retry=ONCE).read_bytes() == BODY
    assert 'Range' not in remote.exchanges[-1].headers


def test_stops_when_the_server_leads_to_a_file(
    remote: Remote, destination: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'secret').write_bytes(BODY)
    remote.faults.append(Fault(status=302, location=f'file://{tmp_path}/secret'))
    with pytest.raises(DataError, match='cannot be fetched'):
        fetch(remote.url, destination, SHA256, retry=ONCE)
    assert names_beside(destination) == []
