"""Files of a node whose job on a service may still be running."""

from __future__ import annotations

import json
import pathlib
import threading

import pytest

from components.beam_jobs import running_job
from components.example_gen import workers
from tests.components.beam_jobs.test_run import call_once_the_job_runs
from tests.conftest import SAMPLE, call_command
from tests.pipeline.beam.flink import flink_job_server


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_files_are_kept_until_the_next_run_when_their_job_may_still_be_running(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_of_work = threading.Event()
    process = workers.WriteShards.process

    def wait_and_process(self: workers.WriteShards, *args: object) -> object:
        end_of_work.wait(300)
        return process(self, *args)

    monkeypatch.setattr(workers.WriteShards, 'process', wait_and_process)
    run = ('run', '--data', str(SAMPLE), '--name', 'reviews')
    with flink_job_server(None) as (endpoint, service):
        call_once_the_job_runs(service.stop, service)
        options = ['--environment_type=LOOPBACK', f'--job_endpoint={endpoint}']
        options.append('--job_server_timeout=5')
        beam = ('--beam-runner', 'PortableRunner', '--set', f'beam.args={json.dumps(options)}')
        done = call_command(*run, *beam, cwd=tmp_path)
        name = service.name_of(service.run[0])
    try:
        assert done.code == 7
        assert f'the Beam job {name} may still be running: cancel it on the cluster' in done.err
        assert name.startswith('reviews-20')
        examples = tmp_path / 'runs' / 'artifacts' / 'reviews' / 'ExampleGen' / 'examples'
        assert [path.name for path in examples.glob('*/.unfinished')] == ['.unfinished']
    finally:
        end_of_work.set()
        running_job.job_ended()
    done = call_command(*run, *beam, cwd=tmp_path)
    assert done.code == 7  # the service is still gone
    assert 'removed the files of the node that the run before did not finish' in done.err
    assert list(examples.glob('*/.unfinished')) == []
