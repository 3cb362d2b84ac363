"""A job that fails is explained, and one that nobody waits for is called off."""

from __future__ import annotations

import importlib
import signal
import threading
import time
from typing import Any

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.common.beam_jobs import finished
from components.common.errors import ComponentError, ServiceError
from pipeline.beam.arguments import beam_args
from tests.conftest import LOCAL_BEAM_ARGS
from tests.pipeline.beam.services import RecordingService, recording_service
from tests.pipeline.settings.test_beam import config

_end = threading.Event()


def open_file(name: str) -> None:
    raise FileNotFoundError(2, 'No such file or directory', name)


def import_module(name: str) -> None:
    importlib.import_module(name)


def find_nothing(_: Any) -> None:
    raise LookupError('the label was not found')


def fail(_: Any) -> None:
    raise ValueError('one\nof two')


def work(_: Any) -> None:
    _end.wait(60)


def run(args: list[str], function: Any, argument: Any) -> None:
    with finished(beam.Pipeline(options=PipelineOptions(args)), 'Node') as pipeline:
        _ = pipeline | beam.Create([argument]) | beam.Map(function)


def portable_args(endpoint: str) -> list[str]:
    settings = (f'portable.job_endpoint={endpoint}', 'portable.environment=LOOPBACK')
    return list(beam_args(config('runner=portable', *settings).beam))


# Beam's own job service raises in a thread what it has told already.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
@pytest.mark.parametrize(
    ('function', 'message', 'hint'),
    [
        (open_file, "Node: the Beam job failed: FileNotFoundError: .*'/data/a.csv'", 'same paths'),
        (import_module, "ModuleNotFoundError: No module named '/data/a", 'setup_file'),
        (find_nothing, 'the label was not found', 'the log'),
        (fail, 'Node: the Beam job failed: .*of two', 'the log'),
    ],
)
def test_a_job_is_explained_by_the_last_line_when_it_failed_elsewhere(
    function: Any, message: str, hint: str
) -> None:
    with (
        recording_service() as (endpoint, service),
        pytest.raises(ComponentError, match=message) as caught,
    ):
        run(portable_args(endpoint), function, '/data/a.csv')
    assert hint in caught.value.hint
    assert service.cancelled == []  # there is nothing to call off


def test_an_error_is_itself_when_the_job_is_in_this_process() -> None:
    with pytest.raises(Exception, match='of two') as caught:
        run(LOCAL_BEAM_ARGS, fail, 1)
    assert not isinstance(caught.value, ComponentError)


class BreaksOff(RecordingService):
    """Loses whoever waits for the state of a job."""

    def GetStateStream(self, request: Any, context: Any = None, timeout: Any = None) -> Any:
        context.abort(grpc.StatusCode.UNAVAILABLE, 'socket closed')


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_a_job_is_called_off_and_not_said_to_have_failed_when_the_connection_is_lost() -> None:
    _end.clear()
    try:
        with recording_service(BreaksOff()) as (endpoint, service):
            message = '^Node: the connection to the service .* was lost: socket closed$'
            with pytest.raises(ServiceError, match=message) as caught:
                run(portable_args(endpoint), work, 1)
            assert 'may still run there' in caught.value.hint
            assert len(service.cancelled) == 1
            _end.set()
    finally:
        _end.set()


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_the_connection_is_said_to_be_lost_when_the_service_is_gone() -> None:
    _end.clear()

    def go() -> None:
        while not service.run:
            time.sleep(0.05)
        time.sleep(0.5)
        service.stop()

    try:
        with recording_service() as (endpoint, service):
            threading.Thread(target=go, daemon=True).start()
            with pytest.raises(ServiceError, match='the connection to the service .* was lost'):
                run(portable_args(endpoint), work, 1)
            _end.set()
    finally:
        _end.set()


def test_a_job_is_called_off_when_the_waiting_is_interrupted() -> None:
    _end.clear()

    def interrupt() -> None:
        while not service.run:
            time.sleep(0.05)
        time.sleep(0.5)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with recording_service() as (endpoint, service):
            threading.Thread(target=interrupt, daemon=True).start()
            with pytest.raises(KeyboardInterrupt):
                run(portable_args(endpoint), work, 1)
            assert len(service.cancelled) == 1
            _end.set()
    finally:
        _end.set()
        signal.signal(signal.SIGINT, before)
