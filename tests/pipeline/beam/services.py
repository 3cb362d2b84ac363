"""Beam's job service and worker pool in their own processes, and a job service that records.

None of them downloads anything. Each ends with the block that starts it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability import local_job_service

from tests.conftest import REPO

_START_SECONDS = 300.0


@contextlib.contextmanager
def job_service(folder: pathlib.Path) -> Iterator[str]:
    """Run `apache_beam.runners.portability.local_job_service_main`; yield its HOST:PORT."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / 'port'
    command = ['-m', 'apache_beam.runners.portability.local_job_service_main']
    with _process([*command, '--port_file', str(port_file)], folder / 'job_service.log') as process:
        while not (port_file.is_file() and port_file.read_text().strip()):
            _require_alive(process)
        yield f'localhost:{port_file.read_text().strip()}'


@contextlib.contextmanager
def worker_pool(folder: pathlib.Path, *, code: pathlib.Path = REPO) -> Iterator[str]:
    """Run `components.beam_worker pool`; yield its HOST:PORT.

    Args:
        folder: Working folder, and place of the log.
        code: Folder from which the pool and its workers import this project's code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ['-m', 'components.beam_worker', 'pool', '--port', '0']
    log, env = folder / 'worker_pool.log', {**os.environ, 'PYTHONPATH': str(code)}
    with _process(command, log, cwd=folder, env=env) as process:
        while not (found := re.search(r'listens on (\S+)\.$', log.read_text(), re.MULTILINE)):
            _require_alive(process)
        yield found[1]


@contextlib.contextmanager
def _process(command: list[str], log: pathlib.Path, **options: Any) -> Iterator[Any]:
    with log.open('wb') as out:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=out, stderr=subprocess.STDOUT, **options
        )
        process.deadline = time.monotonic() + _START_SECONDS  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _require_alive(process: Any) -> None:
    assert process.poll() is None, f'{process.args} ended with {process.returncode}'
    assert time.monotonic() < process.deadline, f'{process.args} does not start'
    time.sleep(0.05)


class RecordingService(local_job_service.LocalJobServicer):
    """Beam's job service; it keeps the requests.

    Attributes:
        run: The requests to run a job.
        cancelled: The requests to cancel a job.
    """

    def __init__(self) -> None:
        super().__init__()
        self.run: list[beam_job_api_pb2.RunJobRequest] = []
        self.cancelled: list[beam_job_api_pb2.CancelJobRequest] = []

    def Run(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        self.run.append(request)
        return super().Run(request, context)

    def Cancel(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        self.cancelled.append(request)
        return super().Cancel(request, context)


@contextlib.contextmanager
def recording_service(
    service: RecordingService | None = None,
) -> Iterator[tuple[str, RecordingService]]:
    """Serve a RecordingService on loopback; yield its HOST:PORT and itself."""
    service = service or RecordingService()
    port = service.start_grpc_server()
    try:
        yield f'localhost:{port}', service
    finally:
        service.stop()
