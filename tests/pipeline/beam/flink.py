"""Plays a Flink cluster and its job server: what this project asks of them, with Flink's answers.

The answers have the form of those of Flink 1.19.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from apache_beam.portability.api import beam_job_api_pb2

from tests.pipeline.beam.services import RecordingService, recording_service

_CANCEL = re.compile(r'/jobs/(\w+)\?mode=cancel')


class PlayedFlink:
    """A cluster; a job that is cancelled has ended some requests later.

    Attributes:
        address: `HOST:PORT` of its REST API.
        jobs: The jobs, as in `/jobs/overview`.
        vertices: Those of each job, see `vertex`.
        slots: The number of task slots, and how many of them are free.
        cancelled: The ids of the jobs that were cancelled.
        requests_to_cancel: How many requests for the jobs a job needs to end; None for a job
            that does not end.
    """

    def __init__(self) -> None:
        self.address = ''
        self.jobs: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.vertices: list[dict[str, Any]] = []
        self.slots = (2, 1)
        self.requests_to_cancel: int | None = 2

    def add_job(self, name: str, state: str = 'RUNNING') -> None:
        """Start a job."""
        number = len(self.jobs) + 1
        job = {'jid': f'{number:032x}', 'name': name, 'state': state, 'start-time': number}
        self.jobs.append(job)

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        """Return the status and the JSON value for a request."""
        cancel = _CANCEL.fullmatch(path)
        if method == 'PATCH' and cancel:
            job = next((job for job in self.jobs if job['jid'] == cancel[1]), None)
            if job is None:
                return 404, {'errors': [f'Job could not be found. {cancel[1]}']}
            self.cancelled.append(cancel[1])
            job['state'] = 'CANCELLING'
            return 202, {}
        if path == '/jobs/overview':
            return 200, self._overview()
        if path == '/overview':
            total, free = self.slots
            return 200, {'slots-total': total, 'slots-available': free}
        for job in self.jobs:
            if path == f'/jobs/{job["jid"]}':
                return 200, {**job, 'vertices': self.vertices}
        return 404, {'errors': ['Not found: ' + path]}

    def _overview(self) -> dict[str, Any]:
        for job in self.jobs:
            if job['state'] == 'CANCELLING' and self.requests_to_cancel is not None:
                self.requests_to_cancel -= 1
                if self.requests_to_cancel <= 0:
                    job['state'] = 'CANCELED'
        return {'jobs': self.jobs}


def vertex(task: str, *, read: int = 0, complete: bool = True) -> dict[str, Any]:
    """Return a vertex with a single task.

    Args:
        task: State of the task.
        read: The number of records that it has read.
        complete: Whether its task manager has reported.
    """
    states = ('CREATED', 'SCHEDULED', 'DEPLOYING', 'RUNNING', 'FINISHED', 'CANCELED')
    return {
        'parallelism': 1,
        # Until the task runs, its vertex is CREATED.
        'status': task if task in ('RUNNING', 'FINISHED', 'CANCELED') else 'CREATED',
        'tasks': {state: int(state == task) for state in states},
        'metrics': {'read-records': read, 'read-records-complete': complete},
    }


@contextlib.contextmanager
def played_flink() -> Iterator[PlayedFlink]:
    """Serve a cluster on loopback."""
    flink = PlayedFlink()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, value = flink.answer(self.command, self.path)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PATCH = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    flink.address = f'127.0.0.1:{server.server_address[1]}'
    thread = threading.Thread(
        target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
    )
    thread.start()
    try:
        yield flink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FlinkJobServer(RecordingService):
    """Beam's job service with what Flink's job server does otherwise.

    It tells the address of its cluster among the options of a job, and does not end jobs there.

    Args:
        flink: The cluster; None for a Flink in the job server itself.
        address: The address of the cluster, in place of its own.
    """

    def __init__(self, flink: PlayedFlink | None, *, address: str | None = None) -> None:
        super().__init__()
        self._flink = flink
        self._master = address or (flink.address if flink else '[local]')
        self._options: dict[str, Any] = {}

    def Prepare(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        response = super().Prepare(request, context)
        self._options[response.preparation_id] = request.pipeline_options
        return response

    def Run(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        response = super().Run(request, context)
        if self._flink is not None:
            self._flink.add_job(self.name_of(request))
        return response

    def DescribePipelineOptions(
        self, request: Any, context: Any = None, timeout: Any = None
    ) -> Any:
        """Describe some of the 105 options that the job server of Beam 2.62 describes."""
        kinds = beam_job_api_pb2.PipelineOptionType
        described = {
            'checkpointing_interval': kinds.INTEGER,
            'object_reuse': kinds.BOOLEAN,
            'parallelism': kinds.INTEGER,
            'number_of_execution_retries': kinds.INTEGER,
        }
        return beam_job_api_pb2.DescribePipelineOptionsResponse(
            options=[
                beam_job_api_pb2.PipelineOptionDescriptor(name=name, type=kind)
                for name, kind in described.items()
            ]
        )

    def GetJobs(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        jobs = []
        for run in self.run:
            options = self._options[run.preparation_id]
            options['beam:option:flink_master:v1'] = self._master
            options['beam:option:flink_conf_dir:v1'] = None
            job = beam_job_api_pb2.JobInfo(job_name=self.name_of(run), pipeline_options=options)
            job.state = beam_job_api_pb2.JobState.RUNNING
            jobs.append(job)
        return beam_job_api_pb2.GetJobsResponse(job_info=jobs)

    def name_of(self, run: Any) -> str:
        """Return the name of the job for a request to run one."""
        return str(self._options[run.preparation_id]['beam:option:job_name:v1'])


@contextlib.contextmanager
def flink_job_server(
    flink: PlayedFlink | None, *, address: str | None = None
) -> Iterator[tuple[str, FlinkJobServer]]:
    """Serve a FlinkJobServer; yield its HOST:PORT and itself."""
    server = FlinkJobServer(flink, address=address)
    with recording_service(server) as (endpoint, _):
        yield endpoint, server
