"""An HTTP server on loopback for fakes of services."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Protocol


class Request(NamedTuple):
    """A request; `body` is parsed if it is JSON."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    body: Any
    cookie: str = ''

    def __str__(self) -> str:
        return f'{self.method} {self.path}'


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Fake(Protocol):
    """A service without HTTP."""

    def answer(self, request: Request) -> Any:
        """Return the JSON values of the answer.

        Raises:
            Refused: If the answer is an error.
        """

    def error(self, refused: Refused) -> Any:
        """Return an error as this service writes it."""


class Server:
    """A fake behind HTTP.

    Attributes:
        url: Its address.
        requests: All requests in their order.
        token: The expected bearer token; None to accept any.
        broken: Statuses of the next answers.
        page: Text of all answers, as of a login page; empty for the answers of the fake.
        delay_seconds: Delay of each answer.
    """

    def __init__(self, fake: Fake, url: str) -> None:
        self.fake = fake
        self.url = url
        self.requests: list[Request] = []
        self.token: str | None = None
        self.broken: list[int] = []
        self.page = ''
        self.delay_seconds = 0.0
        self._lock = threading.Lock()

    def sent(self, line: str) -> list[Any]:
        """Return the bodies of all requests `METHOD /path`."""
        return [request.body for request in self.requests if str(request) == line]

    def respond(self, request: Request) -> tuple[int, str]:
        time.sleep(self.delay_seconds)
        with self._lock:
            self.requests.append(request)
            if self.page:
                return 200, self.page
            try:
                if self.broken:
                    status = self.broken.pop(0)
                    raise Refused(status, f'fake failure {status}')
                if self.token is not None and request.authorization != f'Bearer {self.token}':
                    raise Refused(401, f'bad credentials: {request.authorization}')
                return 200, json.dumps(self.fake.answer(request))
            except Refused as refused:
                return refused.status, json.dumps(self.fake.error(refused))


@contextlib.contextmanager
def serving(fake: Fake, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve a fake on a free port of loopback, by HTTPS with a TLS context."""
    http = ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
    http.daemon_threads = True
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    scheme = 'https' if tls else 'http'
    server = Server(fake, f'{scheme}://127.0.0.1:{http.server_address[1]}')
    http.fake_server = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={'poll_interval': 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def closed_url() -> str:
    """Return an address of loopback at which nothing listens."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return f'http://127.0.0.1:{free.getsockname()[1]}'


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        status, answer = self.server.fake_server.respond(  # type: ignore[attr-defined]
            Request(
                self.command,
                urllib.parse.unquote(url.path),
                dict(urllib.parse.parse_qsl(url.query)),
                self.headers.get('Authorization') or '',
                _parsed(content),
                self.headers.get('Cookie') or '',
            )
        )
        body = answer.encode()
        page = self.server.fake_server.page  # type: ignore[attr-defined]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header('Content-Type', 'text/html' if page else 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, *args: object) -> None:
        """Keep quiet."""
