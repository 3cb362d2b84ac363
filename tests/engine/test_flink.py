"""Runs on a Flink cluster with two task managers."""

from __future__ import annotations

import pathlib
import signal

import pytest

from tests.engine.cluster import WORKERS, Flink
from tests.engine.running import Run, state_of
from tests.pipeline.beam.results import Results, require_equal, run

pytestmark = pytest.mark.engine


def test_results_equal_those_of_a_local_run_when_flink_reads_the_data(
    cluster: Flink,
    sample: pathlib.Path,
    local: Results,
    tmp_path: pathlib.Path,
) -> None:
    found = run(sample, tmp_path / 'runs', 'ngram', *cluster.beam_args, *WORKERS)
    require_equal(found, local)
    assert [job['state'] for job in cluster.jobs()[-4:]] == ['FINISHED'] * 4


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_job_is_cancelled_and_nothing_pushed_when_a_run_is_stopped(
    number: signal.Signals, cluster: Flink, sample: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with Run(cluster, sample, tmp_path / 'runs') as running:
        job = running.wait_for_job('ExampleGen')
        running.process.send_signal(number)
        done = running.end()
    assert done.code == 128 + number
    assert state_of(cluster, job) == 'CANCELED'
    assert done.json['outcome'] == 'interrupted'
    assert not list((tmp_path / 'runs').glob('serving/*/*'))
