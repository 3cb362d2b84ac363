"""A pool that starts Beam workers on request, for the environment EXTERNAL."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading
from concurrent import futures
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from components.common.errors import ServiceError

_BOOT = pathlib.Path(__file__).with_name('boot.sh')
# A request starts any code in a worker. So only this machine can send one.
_HOST = '127.0.0.1'
_OPTIONS = [
    # Otherwise, a second pool on the port starts too, and each gets some of the requests.
    ('grpc.so_reuseport', 0),
    # As in Beam's pool: the channels of task managers are idle while a job runs.
    ('grpc.http2.max_pings_without_data', 0),
    ('grpc.http2.max_ping_strikes', 0),
]
# A worker ends when its task manager does, but not at once.
_END_SECONDS = 10.0


class WorkerPool(BeamFnExternalWorkerPoolServicer):
    """Beam's pool; it does not start a second worker of the same name."""

    def __init__(self) -> None:
        super().__init__(use_process=True, container_executable=str(_BOOT))

    def StartWorker(
        self, start_worker_request: beam_fn_api_pb2.StartWorkerRequest, unused_context: Any
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker; called by a task manager."""
        name = start_worker_request.worker_id
        running = self._worker_processes.get(name)
        try:
            if running is not None:
                running.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # Two task managers use the same names, and each would stop the worker of the other.
            return beam_fn_api_pb2.StartWorkerResponse(
                error=f'worker pool: a worker {name} runs already; each task manager needs a pool '
                'of its own'
            )
        return super().StartWorker(start_worker_request, unused_context)

    def stop_workers(self) -> None:
        """End all workers and wait for them."""
        for name in list(self._worker_processes):
            self.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id=name), None)


def serve_pool(port: int) -> None:
    """Start workers on request until SIGTERM or Ctrl-C; then end them.

    Prints the address when the pool can be used.

    Args:
        port: Port on the loopback interface; 0 is any free port.

    Raises:
        ServiceError: If the port is taken.
    """
    pool = WorkerPool()
    server = grpc.server(futures.ThreadPoolExecutor(), options=_OPTIONS)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        port = server.add_insecure_port(f'{_HOST}:{port}')
    except RuntimeError as err:
        raise ServiceError(
            f'the worker pool cannot listen on {_HOST}:{port}: the port is in use',
            hint='end the process that uses the port, or pass another one with --port',
        ) from err
    # boot.sh runs the first python on the path.
    os.environ['PATH'] = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    print(f'The worker pool listens on {_HOST}:{port}.', flush=True)
    ended.wait()
    server.stop(None).wait()
    pool.stop_workers()
