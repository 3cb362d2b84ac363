from __future__ import annotations

import importlib
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.beam_jobs.run import run_beam_pipeline
from components.common.errors import ComponentError, ReviewsError, ServiceError
from pipeline.beam.arguments import beam_args
from pipeline.settings.beam import BeamSettings
from tests.conftest import LOCAL_BEAM_ARGS
from tests.pipeline.beam.services import RecordingService, recording_service

# Beam's job service also raises in a thread the error that it has reported.
pytestmark = pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
_begin_of_work = threading.Event()
_end_of_work = threading.Event()


def open_file(name: str) -> None:
    raise FileNotFoundError(2, 'No such file or directory', name)


def import_module(name: str) -> None:
    importlib.import_module(name)


def find_nothing(_: Any) -> None:
    raise LookupError('the label was not found')


def fail(_: Any) -> None:
    raise ValueError('one\nof two')


def fail_as_flink(text: str) -> None:
    raise RuntimeError(text)


def work(_: Any) -> None:
    _begin_of_work.set()
    _end_of_work.wait(300)


@pytest.fixture
def end_of_work() -> Iterator[threading.Event]:
    """Return the event that ends `work`; it is set after the test."""
    _begin_of_work.clear()
    _end_of_work.clear()
    yield _end_of_work
    _end_of_work.set()


def run(args: list[str], function: Any, argument: Any) -> None:
    with run_beam_pipeline(beam.Pipeline(options=PipelineOptions(args)), 'Node') as pipeline:
        _ = pipeline | beam.Create([argument]) | beam.Map(function)


def portable_args(endpoint: str) -> list[str]:
    args = (f'--job_endpoint={endpoint}', '--environment_type=LOOPBACK')
    return list(beam_args(BeamSettings(runner='PortableRunner', args=args)))


@pytest.mark.parametrize(
    ('function', 'message', 'hint'),
    [
        (open_file, "Node: the Beam job failed: FileNotFoundError: .*'/data/a.csv'", 'same paths'),
        (import_module, "ModuleNotFoundError: No module named '/data/a", 'setup_file'),
        (find_nothing, 'the label was not found', 'the log'),
        (fail, 'Node: the Beam job failed: .*of two', 'the log'),
    ],
)
def test_error_has_the_last_line_when_a_job_fails_on_a_service(
    function: Any, message: str, hint: str
) -> None:
    with (
        recording_service() as (endpoint, service),
        pytest.raises(ComponentError, match=message) as caught,
    ):
        run(portable_args(endpoint), function, '/data/a.csv')
    assert hint in caught.value.hint
    assert service.cancelled == []  # the job has ended


@pytest.mark.parametrize(
    ('text', 'kind', 'hint'),
    [
        # As Flink 1.19 and the job server of Beam 2.62 wrote them.
        (
            'java.io.IOException: The record exceeds the maximum size of a sort buffer (current '
            'maximum: 60194816 bytes).',
            ComponentError,
            'taskmanager.memory.managed.size',
        ),
        (
            'java.lang.OutOfMemoryError: Java heap space',
            ComponentError,
            'taskmanager.memory.task.heap.size',
        ),
        (
            'java.lang.OutOfMemoryError: Direct buffer memory. The direct out-of-memory error has '
            'occurred.',
            ComponentError,
            'taskmanager.memory.task.off-heap.size',
        ),
        (
            'java.io.IOException: Insufficient number of network buffers: required 33, but only 12 '
            'available.',
            ComponentError,
            'taskmanager.memory.network.min',
        ),
        (
            'org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: '
            "Connection unexpectedly closed by remote task manager 'localhost/127.0.0.1:1'.",
            ComponentError,
            'restart-strategy.type',
        ),
        (
            'org.apache.flink.runtime.client.JobCancellationException: Job was cancelled.',
            ComponentError,
            'cancelled the job on Flink',
        ),
        (
            'java.net.ConnectException: finishConnect(..) failed: Connection refused',
            ServiceError,
            'worker pool',
        ),
        (
            'java.util.concurrent.TimeoutException: Timeout has occurred: 300000 ms',
            ServiceError,
            'no free task slots',
        ),
    ],
)
def test_hint_names_what_helps_when_flink_reports_an_error(
    text: str, kind: type[ReviewsError], hint: str
) -> None:
    with (
        recording_service() as (endpoint, _),
        pytest.raises(kind, match=f'^Node: the Beam job failed: {re.escape(text)}') as caught,
    ):
        run(portable_args(endpoint), fail_as_flink, text)
    assert hint in caught.value.hint


def test_error_is_not_wrapped_when_the_job_is_in_this_process() -> None:
    with pytest.raises(Exception, match='of two') as caught:
        run(LOCAL_BEAM_ARGS, fail, 1)
    assert not isinstance(caught.value, ComponentError)


class LosesConnection(RecordingService):
    """Fails each request for the state of a job, once the job is at work."""

    def GetStateStream(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        # The client reads the first state before it starts the job.
        yield next(super().GetStateStream(request, context))
        # Before, the job could fail first, since the client also stops its workers.
        _begin_of_work.wait(60)
        context.abort(grpc.StatusCode.UNAVAILABLE, 'socket closed')


def call_once_the_job_runs(function: Callable[[], object], service: RecordingService) -> None:
    """Start a thread that waits for the job, and then calls the function."""

    def wait_and_call() -> None:
        while not service.run:
            time.sleep(0.05)
        time.sleep(0.5)
        function()

    threading.Thread(target=wait_and_call, daemon=True).start()


def test_job_is_cancelled_when_the_connection_is_lost(end_of_work: threading.Event) -> None:
    with recording_service(LosesConnection()) as (endpoint, service):
        message = '^Node: the connection to the Beam job service was lost: socket closed$'
        with pytest.raises(ServiceError, match=message) as caught:
            run(portable_args(endpoint), work, 1)
        assert caught.value.hint == 'to resume from the cached nodes, run the same command again'
        assert len(service.cancelled) == 1
        end_of_work.set()


def test_error_says_that_the_connection_was_lost_when_the_service_stops(
    end_of_work: threading.Event,
) -> None:
    with recording_service() as (endpoint, service):
        call_once_the_job_runs(service.stop, service)
        with pytest.raises(ServiceError, match='connection to the Beam job service was lost'):
            run(portable_args(endpoint), work, 1)
        end_of_work.set()


def test_job_is_cancelled_when_the_wait_is_interrupted(end_of_work: threading.Event) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with recording_service() as (endpoint, service):
            call_once_the_job_runs(lambda: signal.raise_signal(signal.SIGINT), service)
            with pytest.raises(KeyboardInterrupt):
                run(portable_args(endpoint), work, 1)
            assert len(service.cancelled) == 1
            end_of_work.set()
    finally:
        signal.signal(signal.SIGINT, before)


def test_error_says_that_the_service_cannot_be_reached_when_nothing_listens() -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        endpoint = f'127.0.0.1:{server.getsockname()[1]}'
    args = [*portable_args(endpoint), '--job_server_timeout=1']
    with pytest.raises(ServiceError, match='Node: the Beam job service cannot be reached: '):
        run(args, fail, 1)
