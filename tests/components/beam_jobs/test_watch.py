"""Jobs that wait, on a played Flink: see `tests/pipeline/beam/flink.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.beam_jobs import running_job, watch
from components.beam_jobs.run import run_beam_pipeline
from components.beam_jobs.service_job import ServiceJob
from components.common.errors import ServiceError
from components.common.progress import PROGRESS_LOGGER
from tests.components.beam_jobs import test_run
from tests.components.beam_jobs.test_run import portable_args, work
from tests.pipeline.beam.flink import flink_job_server, played_flink, vertex

LIMIT_MINUTES = 0.02
LIMIT_SECONDS = LIMIT_MINUTES * 60
NO_SLOTS = [vertex('SCHEDULED', complete=False)] * 2
NO_WORKER = [vertex('FINISHED'), vertex('RUNNING'), vertex('RUNNING')]
# The second stage works on its first record, and has written none.
WORKS = [vertex('FINISHED'), vertex('RUNNING', read=1), vertex('RUNNING')]


class Clock:
    """The clock of a watch: 0.1 s pass at each look, once the job is at work.

    The tests wait for looks, not for seconds, and give the same result on a busy machine.
    """

    def __init__(self) -> None:
        self._looks = 0
        self._planned: list[tuple[float, Callable[[], object]]] = []

    def plan(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function when these seconds have passed."""
        self._planned.append((seconds, function))

    def monotonic(self) -> float:
        """Return the seconds, as `time.monotonic` does."""
        self._looks += test_run._begin_of_work.is_set()
        now = self._looks / 10
        for plan in [plan for plan in self._planned if plan[0] <= now]:
            self._planned.remove(plan)
            plan[1]()
        return now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Look and report often; let no job outlive its test."""
    played = Clock()
    monkeypatch.setattr(watch, 'time', played)
    monkeypatch.setattr(watch, '_POLL_SECONDS', 0.01)
    monkeypatch.setattr(watch, '_FIRST_MESSAGE_SECONDS', 0.3)
    monkeypatch.setattr(watch, '_NEXT_MESSAGE_SECONDS', 0.5)
    test_run._begin_of_work.clear()
    test_run._end_of_work.clear()
    yield played
    test_run._end_of_work.set()
    running_job.job_ended()


class Messages:
    """The messages of a node, without the time."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __iter__(self) -> Iterator[str]:
        for name, _, text in self._caplog.record_tuples:
            if name == PROGRESS_LOGGER:
                yield re.sub(r' [(]\d+ s[)]', '', text)


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Messages:
    caplog.set_level('INFO', PROGRESS_LOGGER)
    return Messages(caplog)


def run_twice_as_long(endpoint: str, clock: Clock) -> None:
    """Run a job that ends after twice the limit."""
    clock.plan(2 * LIMIT_SECONDS, test_run._end_of_work.set)
    run(endpoint)


def run(endpoint: str) -> None:
    """Run a job that does not end by itself."""
    args = [*portable_args(endpoint), f'--start_timeout_minutes={LIMIT_MINUTES}']
    pipeline = beam.Pipeline(options=PipelineOptions(args))
    with run_beam_pipeline(pipeline, 'Node') as running:
        _ = running | beam.Create([1]) | beam.Map(work)


@pytest.mark.parametrize(
    ('vertices', 'said', 'message', 'hint'),
    [
        (
            NO_SLOTS,
            'the job waits for task slots: Flink has 2 (0 free), and the job needs up to 1',
            r'^Node: expected task slots for the Beam job within 0\.02 minutes, got none: '
            r'Flink has 2 \(0 free\), and the job needs up to 1$',
            'more task managers',
        ),
        (
            NO_WORKER,
            'the job waits for a worker: LOOPBACK',
            r'^Node: expected a worker for the Beam job within 0\.02 minutes, got none: LOOPBACK$',
            'pool',
        ),
    ],
)
def test_job_is_ended_when_it_waits_for_longer_than_the_limit(
    vertices: list[Any], said: str, message: str, hint: str, messages: Messages
) -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, _):
        flink.vertices, flink.slots = vertices, (2, 0)
        with pytest.raises(ServiceError, match=message) as caught:
            run(endpoint)
        assert [job['state'] for job in flink.jobs] == ['CANCELED']
        assert hint in caught.value.hint
        assert 'beam.start_timeout_minutes' in caught.value.hint
        assert caught.value.may_pass
        # Every 0.5 s from 0.3 s on, until 1.2 s.
        first, *others, ending, ended = messages
        assert (first, set(others)) == (said, {said})
        name = flink.jobs[0]['name']
        assert ending == f'ending the Beam job {name} on Flink, http://{flink.address}'
        assert ended == f'the Beam job {name} has ended on Flink: CANCELED'
    assert running_job.job_left() is None


@pytest.mark.parametrize(
    'vertices',
    [
        WORKS,
        # The task manager has not reported.
        [vertex('FINISHED'), vertex('RUNNING', complete=False)],
        # Later stages start when the first ones have finished.
        [vertex('FINISHED'), vertex('RUNNING', read=1), vertex('CREATED', complete=False)],
    ],
)
def test_job_is_not_ended_when_a_stage_works_without_output(
    vertices: list[Any], messages: Messages, clock: Clock
) -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, _):
        flink.vertices = vertices
        run_twice_as_long(endpoint, clock)
        assert flink.cancelled == []
    assert list(messages) == []


def test_job_is_not_ended_when_the_image_of_its_workers_may_be_downloaded(
    messages: Messages, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(ServiceJob, 'workers', 'DOCKER')
    monkeypatch.setattr(ServiceJob, 'workers_may_be_slow', True)
    with played_flink() as flink, flink_job_server(flink) as (endpoint, _):
        flink.vertices = NO_WORKER
        run_twice_as_long(endpoint, clock)
        assert flink.cancelled == []
    assert set(messages) == {'the job waits for a worker: DOCKER'}


def test_limit_counts_anew_when_the_job_waits_for_something_else(clock: Clock) -> None:
    with played_flink() as flink, flink_job_server(flink) as (endpoint, _):
        flink.vertices = NO_SLOTS
        clock.plan(0.7 * LIMIT_SECONDS, lambda: setattr(flink, 'vertices', NO_WORKER))
        clock.plan(1.4 * LIMIT_SECONDS, lambda: setattr(flink, 'vertices', WORKS))
        run_twice_as_long(endpoint, clock)
        assert flink.cancelled == []


def test_message_says_so_when_the_job_is_not_on_flink_yet(messages: Messages, clock: Clock) -> None:
    with played_flink() as flink, flink_job_server(None, address=flink.address) as (endpoint, _):
        run_twice_as_long(endpoint, clock)
    assert set(messages) == {'the job is being submitted to Flink'}


def test_message_has_the_state_of_the_service_when_its_cluster_is_not_known(
    messages: Messages, clock: Clock
) -> None:
    with flink_job_server(None) as (endpoint, _):
        run_twice_as_long(endpoint, clock)
    assert set(messages) == {'the job is RUNNING on its job service'}


def test_message_says_that_flink_cannot_be_reached_when_nothing_listens(
    messages: Messages, clock: Clock
) -> None:
    with flink_job_server(None, address='127.0.0.1:1') as (endpoint, _):
        run_twice_as_long(endpoint, clock)
    (message,) = set(messages)
    start = 'the job is RUNNING on its job service; Flink at http://127.0.0.1:1: '
    assert message.startswith(start)
    assert 'refused' in message
