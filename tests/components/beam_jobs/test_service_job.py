"""Jobs that are called off, on a played Flink: see `tests/pipeline/beam/flink.py`."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.beam_jobs import running_job, service_job
from components.beam_jobs.run import run_beam_pipeline
from components.beam_jobs.running_job import job_left
from components.common.errors import ServiceError
from tests.components.beam_jobs.test_run import call_once_the_job_runs, portable_args, work
from tests.pipeline.beam.flink import flink_job_server, played_flink
from tests.pipeline.beam.services import RecordingService

pytestmark = pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')


@pytest.fixture(autouse=True)
def end_of_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no job outlive its test, and wait briefly for jobs that do not end."""
    from tests.components.beam_jobs import test_run

    monkeypatch.setattr(service_job, 'ENDING_SECONDS', 1.0)
    test_run._end_of_work.clear()
    yield
    test_run._end_of_work.set()
    running_job.job_ended()


@contextlib.contextmanager
def interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_interrupted(endpoint: str, service: RecordingService, *args: str) -> None:
    """Run a job that does not end, and interrupt the wait for it."""
    call_once_the_job_runs(lambda: signal.raise_signal(signal.SIGINT), service)
    options = PipelineOptions([*portable_args(endpoint), *args])
    with (
        interrupts(),
        pytest.raises(KeyboardInterrupt),
        run_beam_pipeline(beam.Pipeline(options=options), 'StatisticsGen') as pipeline,
    ):
        _ = pipeline | beam.Create([1]) | beam.Map(work)


def unused_address() -> str:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return f'127.0.0.1:{server.getsockname()[1]}'


def test_job_has_ended_on_flink_when_the_wait_is_interrupted() -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, service):
        run_interrupted(endpoint, service, '--job_name=reviews-2026-11-30T15-00-00')
        (job,) = flink.jobs
        assert job['state'] == 'CANCELED'
        assert re.fullmatch(r'reviews-2026-11-30t15-00-00-statisticsgen-[0-9a-f]{6}', job['name'])
        assert flink.cancelled == [job['jid']]
        assert len(service.cancelled) == 1
    assert job_left() is None


def test_job_is_ended_when_it_appears_on_flink_after_the_interrupt() -> None:
    with played_flink() as flink, flink_job_server(None, address=flink.address) as served:
        endpoint, service = served

        def appear() -> None:
            while not service.run:
                time.sleep(0.05)
            time.sleep(1.0)
            flink.add_job(service.name_of(service.run[0]))

        threading.Thread(target=appear, daemon=True).start()
        run_interrupted(endpoint, service)
        assert [job['state'] for job in flink.jobs] == ['CANCELED']
    assert job_left() is None


def test_jobs_of_others_are_left_alone_when_the_wait_is_interrupted() -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, service):
        flink.add_job('statisticsgen-of-another-run')
        run_interrupted(endpoint, service)
        assert [job['state'] for job in flink.jobs] == ['RUNNING', 'CANCELED']


def test_message_says_how_to_end_the_job_when_it_does_not_end() -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, service):
        flink.requests_to_cancel = None
        run_interrupted(endpoint, service)
        name = flink.jobs[0]['name']
        assert job_left() == (
            f'the Beam job {name} may still be running: cancel it in Flink, http://{flink.address}'
        )


def test_message_says_how_to_end_the_job_when_flink_cannot_be_reached() -> None:
    address = unused_address()
    with flink_job_server(None, address=address) as (endpoint, service):
        run_interrupted(endpoint, service)
        left = job_left()
        assert left is not None
        assert left.endswith(f'may still be running: cancel it in Flink, http://{address}')


def test_message_says_what_ends_the_job_when_flink_is_in_the_job_server() -> None:
    with flink_job_server(None) as (endpoint, service):
        run_interrupted(endpoint, service)
        left = job_left()
        assert left is not None
        assert left.endswith(f'it runs in the job server {endpoint}, and ends with it')


def test_job_has_ended_on_flink_when_the_job_server_is_gone() -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, service):
        call_once_the_job_runs(service.stop, service)
        options = PipelineOptions([*portable_args(endpoint), f'--flink_master={flink.address}'])
        with (
            pytest.raises(ServiceError, match='connection to the Beam job service') as caught,
            run_beam_pipeline(beam.Pipeline(options=options), 'StatisticsGen') as pipeline,
        ):
            _ = pipeline | beam.Create([1]) | beam.Map(work)
        assert [job['state'] for job in flink.jobs] == ['CANCELED']
        assert 'may still be running' not in caught.value.hint


def test_hint_names_the_job_when_the_service_is_gone_and_its_cluster_is_not_known() -> None:
    with flink_job_server(None) as (endpoint, service):
        call_once_the_job_runs(service.stop, service)
        options = PipelineOptions([*portable_args(endpoint), '--job_name=reviews'])
        with (
            pytest.raises(ServiceError, match='connection to the Beam job service') as caught,
            run_beam_pipeline(beam.Pipeline(options=options), 'StatisticsGen') as pipeline,
        ):
            _ = pipeline | beam.Create([1]) | beam.Map(work)
        assert re.search(
            'the Beam job reviews-statisticsgen-[0-9a-f]{6} may still be running: cancel it on '
            f'the cluster of the job service {endpoint}; to resume',
            caught.value.hint,
        )


def test_no_job_is_left_when_the_block_raises() -> None:
    endpoint = unused_address()
    options = PipelineOptions(portable_args(endpoint))
    with (
        pytest.raises(ValueError, match='in the block'),
        run_beam_pipeline(beam.Pipeline(options=options), 'StatisticsGen'),
    ):
        raise ValueError('in the block')
    assert job_left() is None
