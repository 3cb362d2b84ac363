"""Jobs that wait on a Flink cluster for something that does not come."""

from __future__ import annotations

import pathlib
import socket

import pytest

from components.common.errors import ServiceError
from tests.engine.cluster import WORKERS, Flink, flink
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
    assert 'ExampleGen: expected task slots for the Beam job within 0.4 minutes' in done.err
    # The message, and the error.
    assert done.err.count('slots') >= 2
    assert states == ['CANCELED']


@pytest.mark.parametrize('silent', [False, True])
def test_run_ends_with_an_error_when_no_pool_starts_workers(
    cluster: Flink, sample: pathlib.Path, tmp_path: pathlib.Path, *, silent: bool
) -> None:
    with socket.socket() as pool:
        pool.bind(('localhost', 0))
        if silent:
            # Accepts connections, and says nothing.
            pool.listen()
        workers = (
            '--environment_type=EXTERNAL',
            f'--environment_config=localhost:{pool.getsockname()[1]}',
        )
        with Run(cluster, sample, tmp_path / 'runs', workers, _TIMEOUT) as running:
            done = running.end()
    assert done.code == ServiceError.exit_code
    assert 'worker pool' in done.err
    assert cluster.jobs()[-1]['state'] in ('CANCELED', 'FAILED')
