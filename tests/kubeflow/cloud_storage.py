"""Plays Google Cloud Storage: the requests of TensorFlow and of the Go client, without login.

The Go client uses it through STORAGE_EMULATOR_HOST. TensorFlow has no such variable, so the
names of the real service lead to this machine (`namespaces`), and curl trusts its certificate.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import itertools
import json
import re
import threading
import urllib.parse
from typing import Any

from tests.kubeflow import namespaces

# TensorFlow expects TLS at its own port.
TLS_PORT = 443
PORT = 4443
ENVIRONMENT = {
    'STORAGE_EMULATOR_HOST': f'127.0.0.1:{PORT}',
    'CURL_CA_BUNDLE': str(namespaces.ACCOUNT / 'ca.crt'),
    'NO_GCE_CHECK': 'true',
}
_OBJECT = re.compile(r'/storage/v1/b/([^/]+)/o/([^/]+)(?:/rewriteTo/b/([^/]+)/o/([^/]+))?')
_LIST = re.compile(r'/storage/v1/b/([^/]+)/o/?')
_BUCKET = re.compile(r'/storage/v1/b/([^/]+)/?')
_UPLOAD = re.compile(r'/upload/storage/v1/b/([^/]+)/o')
_CONTENT = re.compile(r'/(?:download/storage/v1/b/)?([^/]+)/(?:o/)?(.+)')


class Storage:
    """The objects of all buckets, by bucket and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, tuple[str, str, bytes]] = {}
        self.ids = map(str, itertools.count(1))
        self.lock = threading.Lock()

    def describe(self, bucket: str, name: str) -> dict[str, Any]:
        content = self.objects[bucket, name]
        return {
            'kind': 'storage#object',
            'id': f'{bucket}/{name}',
            'name': name,
            'bucket': bucket,
            'generation': '1',
            'metageneration': '1',
            'contentType': 'application/octet-stream',
            'size': str(len(content)),
            'md5Hash': base64.b64encode(hashlib.md5(content).digest()).decode(),
            'timeCreated': '2030-01-01T00:00:00.000Z',
            'updated': '2030-01-01T00:00:00.000Z',
        }

    def list_objects(self, bucket: str, prefix: str, delimiter: str) -> dict[str, Any]:
        items, folders = [], set()
        for owner, name in sorted(self.objects):
            if owner != bucket or not name.startswith(prefix):
                continue
            end = name.find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                folders.add(name[: end + 1])
            else:
                items.append(self.describe(bucket, name))
        return {'kind': 'storage#objects', 'items': items, 'prefixes': sorted(folders)}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    storage: Storage

    def _handle(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self._body()
        with self.storage.lock:
            try:
                self._answer(url.path, query, body)
            except KeyError:
                self._send(404, {'error': {'code': 404, 'message': 'Not Found'}})

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> None:
        storage = self.storage
        if match := _UPLOAD.fullmatch(path):
            self._upload(match[1], query, body)
        elif match := _OBJECT.fullmatch(path):
            bucket, name, other, target = (
                part and urllib.parse.unquote(part) for part in match.groups()
            )
            if target:
                storage.objects[other, target] = storage.objects[bucket, name]
                resource = storage.describe(other, target)
                self._send(
                    200, {'kind': 'storage#rewriteResponse', 'done': True, 'resource': resource}
                )
            elif self.command == 'DELETE':
                del storage.objects[bucket, name]
                self._send(204, None)
            elif query.get('alt') == 'media':
                self._send_content(storage.objects[bucket, name])
            else:
                self._send(200, storage.describe(bucket, name))
        elif match := _LIST.fullmatch(path):
            found = storage.list_objects(
                match[1], query.get('prefix', ''), query.get('delimiter', '')
            )
            self._send(200, found)
        elif match := _BUCKET.fullmatch(path):
            self._send(200, {'kind': 'storage#bucket', 'name': match[1], 'location': 'EU'})
        elif match := _CONTENT.fullmatch(path):
            self._send_content(storage.objects[match[1], urllib.parse.unquote(match[2])])
        else:
            raise KeyError(path)

    def _upload(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        storage = self.storage
        kind, name = query.get('uploadType'), query.get('name', '')
        if kind == 'multipart':
            # The metadata as JSON, then the content, each after its own headers.
            boundary = b'--' + (self.headers.get_boundary() or '').encode()
            metadata, content = (
                part.partition(b'\r\n\r\n')[2].removesuffix(b'\r\n')
                for part in body.split(boundary)[1:3]
            )
            name = json.loads(metadata).get('name') or name
            storage.objects[bucket, name] = content
        elif upload := query.get('upload_id'):
            bucket, name, before = storage.uploads[upload]
            content, sent = before + body, self.headers.get('Content-Range', '')
            if sent.endswith('/*'):
                storage.uploads[upload] = (bucket, name, content)
                self._send(308, None, Range=f'bytes=0-{len(content) - 1}')
                return
            storage.objects[bucket, name] = content
        elif kind == 'resumable':
            upload = next(storage.ids)
            name = name or json.loads(body or b'{}').get('name', '')
            storage.uploads[upload] = (bucket, name, b'')
            where = f'{self.headers["Host"]}/upload/storage/v1/b/{bucket}/o?upload_id={upload}'
            scheme = 'http' if self.headers['Host'].endswith(f':{PORT}') else 'https'
            self._send(200, None, Location=f'{scheme}://{where}')
            return
        else:
            storage.objects[bucket, name] = body
        self._send(200, storage.describe(bucket, name))

    def _body(self) -> bytes:
        if self.headers.get('Transfer-Encoding') != 'chunked':
            return self.rfile.read(int(self.headers.get('Content-Length') or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b''.join(parts)

    def _send_content(self, content: bytes) -> None:
        match = re.fullmatch(r'bytes=(\d+)-(\d*)', self.headers.get('Range', ''))
        if match is None:
            self._send_bytes(200, content, {})
            return
        first, last = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
        if first >= len(content):
            self._send_bytes(416, b'', {})
            return
        found = {'Content-Range': f'bytes {first}-{last}/{len(content)}'}
        self._send_bytes(206, content[first : last + 1], found)

    def _send(self, status: int, answer: Any, **headers: str) -> None:
        headers['Content-Type'] = 'application/json'
        self._send_bytes(status, b'' if answer is None else json.dumps(answer).encode(), headers)

    def _send_bytes(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve() -> list[http.server.ThreadingHTTPServer]:
    """Serve the same objects with and without TLS, in threads."""
    handler = type('_Handler', (_Handler,), {'storage': Storage()})
    servers = [
        http.server.ThreadingHTTPServer(('127.0.0.1', port), handler) for port in (PORT, TLS_PORT)
    ]
    namespaces.use_tls(servers[1])
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers
