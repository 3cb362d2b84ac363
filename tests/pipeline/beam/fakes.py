"""What Flink, Spark and Google Cloud answer to those who send them a Beam job."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import pathlib
import re
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c

from tests.pipeline.cloud.clients.server import Refused, Request

_SAID = 'java.lang.RuntimeException: no cluster here'
_ANSWERS = {
    '/v1/jars/upload': {'filename': '/tmp/uploaded/beam.jar'},
    '/v1/jars/beam.jar/run': {'jobid': 'job1'},
    '/v1/jars/beam.jar': {},
    '/v1/jobs/job1/execution-result': {'status': {'id': 'FAILED'}},
    '/v1/jobs/job1/exceptions': {'all-exceptions': [{'timestamp': 1, 'exception': _SAID}]},
    '/v1/submissions/create': {'submissionId': 'driver-1'},
    '/v1/submissions/status/driver-1': {'driverState': 'FAILED', 'message': _SAID},
}


class FakeCluster:
    """The REST interfaces of Flink's and of Spark's master: each job of theirs fails.

    Attributes:
        jars: The content of those that were uploaded to Flink.
        submissions: What Spark was asked to run.
    """

    def __init__(self) -> None:
        self.jars: list[bytes] = []
        self.submissions: list[Any] = []

    def answer(self, request: Request) -> Any:
        if request.path == '/v1/jars/upload':
            # The one part of a form, between its blank line and the last boundary.
            body = request.body.partition(b'\r\n\r\n')[2]
            self.jars.append(body.rpartition(b'\r\n--')[0])
        elif request.path == '/v1/submissions/create':
            self.submissions.append(request.body)
        if request.path not in _ANSWERS:
            raise Refused(404, request.path)
        return _ANSWERS[request.path]

    def error(self, refused: Refused) -> Any:
        return {'errors': [str(refused)], 'serverSparkVersion': '3.5.0'}


def job_in(jar: bytes) -> tuple[Any, Any]:
    """Return the pipeline and the options that a jar has in it."""
    with zipfile.ZipFile(io.BytesIO(jar)) as files:
        folder = 'BEAM-PIPELINE/pipeline'
        names = (f'{folder}/pipeline.json', f'{folder}/pipeline-options.json')
        pipeline, options = (json.loads(files.read(name)) for name in names)
    return pipeline, {name.split(':')[2]: value for name, value in options.items()}


def write_jar(path: pathlib.Path) -> pathlib.Path:
    """Write what stands for the jar of a job server."""
    with zipfile.ZipFile(path, 'w') as files:
        files.writestr('META-INF/MANIFEST.MF', 'Manifest-Version: 1.0\n')
        files.writestr('spark-version-info.properties', 'version=3.5.0\n')
    return path


class GoogleCloud:
    """Cloud Storage, and a Dataflow whose jobs fail as soon as they are made.

    Attributes:
        url: Its address.
        objects: By BUCKET/NAME, what was uploaded.
        jobs: By path of the request, the jobs that were made.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.objects: dict[str, bytes] = {}
        self.jobs: dict[str, Any] = {}

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON value."""
        uploads = re.fullmatch(r'/(?:resumable/)?upload/storage/v1/b/([^/]+)/o', path)
        if uploads and method == 'POST':
            name = query.get('name') or json.loads(body)['name']
            where = f'{self.url}{path}?uploadType=resumable&upload_id=1&name={name}'
            return 200, {'Location': where}, {}
        if uploads and method == 'PUT':
            self.objects[f'{uploads[1]}/{query["name"]}'] = body
            checksum = google_crc32c.value(body).to_bytes(4, 'big')
            told = {
                'bucket': uploads[1],
                'name': query['name'],
                'size': str(len(body)),
                'crc32c': base64.b64encode(checksum).decode(),
                'md5Hash': base64.b64encode(hashlib.md5(body).digest()).decode(),
            }
            return 200, {}, told
        if re.fullmatch(r'/storage/v1/b/[^/]+', path):
            return 200, {}, {'kind': 'storage#bucket', 'name': path.rpartition('/')[2]}
        if re.fullmatch(r'/v1b3/projects/[^/]+/locations/[^/]+/jobs', path) and method == 'POST':
            self.jobs[path] = json.loads(body)
            return 200, {}, {'id': 'job1', 'currentState': 'JOB_STATE_FAILED'}
        return 404, {}, {'error': {'code': 404, 'message': f'no {path}'}}


@contextlib.contextmanager
def google_cloud() -> Iterator[GoogleCloud]:
    """Serve a GoogleCloud on loopback."""
    http = ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
    http.daemon_threads = True
    # By this name, Beam knows that it is not Google's.
    cloud = GoogleCloud(f'http://localhost:{http.server_address[1]}')
    http.cloud = cloud  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={'poll_interval': 0.05})
    thread.start()
    try:
        yield cloud
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        path, query = urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))
        cloud: GoogleCloud = self.server.cloud  # type: ignore[attr-defined]
        status, headers, value = cloud.answer(self.command, path, query, body)
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *args: object) -> None:
        """Keep quiet."""
