"""What Flink, Spark and Google Cloud answer to those who send them a Beam job."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import pathlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import google_crc32c

from tests.played import Refused, Reply, Request, serving

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
        url: Its address, which it sends those to who upload.
        objects: By BUCKET/NAME, what was uploaded.
        jobs: By path of the request, the jobs that were made.
    """

    def __init__(self) -> None:
        self.url = ''
        self.objects: dict[str, bytes] = {}
        self.jobs: dict[str, Any] = {}

    def answer(self, request: Request) -> Any:
        method, path = request.method, request.path
        uploads = re.fullmatch(r'/(?:resumable/)?upload/storage/v1/b/([^/]+)/o', path)
        if uploads and method == 'POST':
            name = request.query.get('name') or request.body['name']
            where = f'{self.url}{path}?uploadType=resumable&upload_id=1&name={name}'
            return Reply({}, {'Location': where})
        if uploads and method == 'PUT':
            return self._keep(uploads[1], request.query['name'], request.content)
        if re.fullmatch(r'/storage/v1/b/[^/]+', path):
            return {'kind': 'storage#bucket', 'name': path.rpartition('/')[2]}
        if re.fullmatch(r'/v1b3/projects/[^/]+/locations/[^/]+/jobs', path) and method == 'POST':
            self.jobs[path] = request.body
            return {'id': 'job1', 'currentState': 'JOB_STATE_FAILED'}
        raise Refused(404, f'no {path}')

    def _keep(self, bucket: str, name: str, content: bytes) -> Any:
        self.objects[f'{bucket}/{name}'] = content
        checksum = google_crc32c.value(content).to_bytes(4, 'big')
        return {
            'bucket': bucket,
            'name': name,
            'size': str(len(content)),
            'crc32c': base64.b64encode(checksum).decode(),
            'md5Hash': base64.b64encode(hashlib.md5(content).digest()).decode(),
        }

    def error(self, refused: Refused) -> Any:
        return {'error': {'code': refused.status, 'message': str(refused)}}


@contextlib.contextmanager
def google_cloud() -> Iterator[GoogleCloud]:
    """Serve a GoogleCloud on loopback."""
    cloud = GoogleCloud()
    with serving(cloud) as server:
        # By this name, Beam knows that it is not Google's.
        cloud.url = server.url.replace('127.0.0.1', 'localhost')
        yield cloud
