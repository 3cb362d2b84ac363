"""Processes of a cluster are killed while it runs the pipeline."""

from __future__ import annotations

import pathlib
import time

import pytest

from components.common.errors import ServiceError
from tests.engine.cluster import Flink
from tests.engine.running import NODES, Run, was_restarted
from tests.pipeline.beam.results import Results, require_equal, run

pytestmark = [pytest.mark.engine, pytest.mark.slow]

# From the start of a job's tasks. On IMDB, Transform takes 8 to 10 seconds in all.
_SECONDS = 3.0


@pytest.fixture(scope='module')
def local_imdb(imdb_archive: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a local run on IMDB."""
    return run(imdb_archive, tmp_path_factory.mktemp('local') / 'runs', 'ngram')


def test_results_equal_those_of_a_local_run_when_a_task_manager_is_killed_in_each_node(
    cluster: Flink, imdb_archive: pathlib.Path, local_imdb: Results, tmp_path: pathlib.Path
) -> None:
    with Run(cluster, imdb_archive, tmp_path / 'runs') as running:
        jobs = []
        for node in NODES:
            jobs.append(running.wait_for_job(node))
            time.sleep(_SECONDS)
            cluster.kill_task_manager()
            # As the operator does.
            cluster.start_task_manager()
        found = running.results()
    assert [was_restarted(cluster, job) for job in jobs] == [True] * len(NODES)
    require_equal(found, local_imdb)
    assert found['metrics']['binary_accuracy'] >= 0.920


def test_results_equal_those_of_a_local_run_when_a_worker_is_killed(
    cluster: Flink, sample: pathlib.Path, local: Results, tmp_path: pathlib.Path
) -> None:
    with Run(cluster, sample, tmp_path / 'runs') as running:
        job = running.wait_for_job('StatisticsGen')
        cluster.kill_worker()
        found = running.results()
    assert was_restarted(cluster, job)
    require_equal(found, local)


def test_same_command_resumes_when_the_job_server_is_killed(
    cluster: Flink, sample: pathlib.Path, local: Results, tmp_path: pathlib.Path
) -> None:
    with Run(cluster, sample, tmp_path / 'runs') as running:
        running.wait_for_job('StatisticsGen')
        cluster.kill_job_server()
        done = running.end()
    assert done.code == ServiceError.exit_code
    assert 'the connection to the Beam job service was lost' in done.err
    cluster.start_job_server()
    with Run(cluster, sample, tmp_path / 'runs') as running:
        found = running.results()
    require_equal(found, local)
