"""A pool on loopback, Beam's job service, and workers in processes of their own."""

from __future__ import annotations

import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.testing.util import assert_that, equal_to

from components.beam_worker import pool as module
from tests.conftest import REPO
from tests.pipeline.beam.services import job_service, worker_pool

COMMAND = [sys.executable, '-m', 'components.beam_worker', 'pool', '--port']


def describe_worker(number: int) -> tuple[int, str]:
    # More than the pipe holds that Beam's pool gives to a worker.
    print('x' * 100_000)
    return number, pathlib.Path(sys.argv[0]).parent.name


def children(process: int) -> list[int]:
    threads = pathlib.Path(f'/proc/{process}/task').glob('*/children')
    return [int(child) for path in threads for child in path.read_text().split()]


@pytest.fixture(scope='module')
def running_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a pool; return its HOST:PORT."""
    with worker_pool(tmp_path_factory.mktemp('pool')) as address:
        yield address


def test_workers_of_the_pool_run_a_job_when_a_service_requests_them(
    running_pool: str, tmp_path: pathlib.Path
) -> None:
    with job_service(tmp_path) as endpoint:
        options = PipelineOptions(
            runner='PortableRunner',
            job_endpoint=endpoint,
            environment_type='EXTERNAL',
            environment_config=running_pool,
        )
        with beam.Pipeline(options=options) as pipeline:
            found = pipeline | beam.Create([1, 2]) | beam.Map(describe_worker)
            assert_that(found, equal_to([(1, 'beam_worker'), (2, 'beam_worker')]))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_pool_ends_with_its_workers_when_it_gets_a_signal(number: signal.Signals) -> None:
    with (
        socket.socket() as silent,
        subprocess.Popen([*COMMAND, '0'], cwd=REPO, stdout=subprocess.PIPE, text=True) as process,
    ):
        silent.bind(('127.0.0.1', 0))
        silent.listen()
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1].rstrip('.')
            with grpc.insecure_channel(address) as channel:
                service = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
                request = beam_fn_api_pb2.StartWorkerRequest(worker_id='1-1')
                request.provision_endpoint.url = f'127.0.0.1:{silent.getsockname()[1]}'
                assert not service.StartWorker(request).error
            (worker,) = children(process.pid)
            assert pathlib.Path(f'/proc/{worker}').exists()
            process.send_signal(number)
            assert process.wait(60) == 0
            assert not pathlib.Path(f'/proc/{worker}').exists()
        finally:
            process.kill()


def test_pool_is_refused_when_its_port_is_in_use(running_pool: str) -> None:
    port = running_pool.rpartition(':')[2]
    done = subprocess.run([*COMMAND, port], check=False, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 7
    message = f'error: the worker pool cannot listen on {running_pool}: the port is in use'
    assert message in done.stderr


def test_worker_is_refused_when_one_of_its_name_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / 'boot.sh'
    script.write_text('#!/bin/sh\nexec sleep 60\n')
    script.chmod(0o755)
    monkeypatch.setattr(module, '_BOOT', script)
    monkeypatch.setattr(module, '_END_SECONDS', 0.1)
    pool = module.WorkerPool()
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id='1-1')
    try:
        assert not pool.StartWorker(request, None).error
        error = pool.StartWorker(request, None).error
        assert error == (
            'worker pool: a worker 1-1 runs already; each task manager needs a pool of its own'
        )
        started = time.monotonic()
        pool.stop_workers()
        assert time.monotonic() - started < 5
        # Its name is free again.
        assert not pool.StartWorker(request, None).error
    finally:
        pool.stop_workers()
