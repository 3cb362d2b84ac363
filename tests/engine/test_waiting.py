"""Jobs that wait on a Flink cluster for something that does not come."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ServiceError
from tests.engine.cluster import WORKERS, Flink, flink, free_ports
from tests.engine.conftest import find_jars
from tests.engine.running import Run

pytestmark = pytest.mark.engine

# Long enough for a first message, which comes after 15 seconds.
_TIMEOUT = ('--set', 'beam.start_timeout_minutes=0.4')


def test_run_ends_with_an_error_when_there_are_no_task_slots(
    sample: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with (
        flink(tmp_path / 'flink', find_jars('flink'), task_managers=0) as cluster,
        Run(cluster, sample, tmp_path / 'runs', WORKERS, _TIMEOUT) as running,
    ):
        done = running.end()
        states = [job['state'] for job in cluster.jobs()]
    assert done.code == ServiceError.exit_code
    shown = ' '.join(done.err.split())
    assert 'the job waits for task slots: Flink has 0' in shown
    assert 'ExampleGen: expected task slots for the Beam job within 0.4 minutes' in shown
    assert states == ['CANCELED']


def test_run_ends_with_an_error_when_the_worker_pool_is_not_there(
    cluster: Flink, sample: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (port,) = free_ports(1)
    workers = ('--environment_type=EXTERNAL', f'--environment_config=localhost:{port}')
    with Run(cluster, sample, tmp_path / 'runs', workers, _TIMEOUT) as running:
        done = running.end()
    assert done.code == ServiceError.exit_code
    assert 'worker pool' in ' '.join(done.err.split())
    # Flink tries some times to start the job, and the run waits for a limited time.
    assert cluster.jobs()[-1]['state'] in ('CANCELED', 'FAILED')
