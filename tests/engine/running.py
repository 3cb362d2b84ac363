"""A run of the pipeline on a cluster, in which something happens in the middle of a node."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from types import TracebackType

from tests.conftest import REPO, Finished
from tests.engine.cluster import WORKERS, Flink
from tests.pipeline.beam.results import Results, command, read_results

# The nodes whose jobs are on the cluster.
NODES = ('ExampleGen', 'StatisticsGen', 'Transform', 'Evaluator')
_JOB_SECONDS = 600.0


class Run:
    """A run that ends with the block that it is used in.

    Attributes:
        process: Its process.
    """

    def __init__(
        self,
        cluster: Flink,
        data: pathlib.Path,
        root: pathlib.Path,
        workers: tuple[str, ...] = WORKERS,
        options: tuple[str, ...] = (),
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._cluster, self._root = cluster, root
        self._earlier = len(cluster.jobs())
        arguments = command(data, root, 'ngram', *cluster.beam_args, *workers)
        self.process = subprocess.Popen(
            [sys.executable, str(REPO / 'pipeline_runner.py'), *arguments, *options],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'COLUMNS': '120'},
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for_job(self, node: str) -> str:
        """Wait until the tasks of a node's job run; return the id of the job."""
        deadline = time.monotonic() + _JOB_SECONDS
        while True:
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline, f'the job of {node} does not start'
            for job in self._cluster.jobs()[self._earlier :]:
                if f'-{node.lower()}-' in job['name'] and job['tasks']['running']:
                    return str(job['jid'])
            time.sleep(0.1)

    def end(self) -> Finished:
        """Wait for the end of the run."""
        out, err = self.process.communicate(timeout=1_500)
        return Finished(self.process.returncode, out, err)

    def results(self) -> Results:
        """Wait for the end of the run, and return its results."""
        done = self.end()
        assert done.code == 0, done.err
        return read_results(self._root, done.json)


def was_restarted(cluster: Flink, job: str) -> bool:
    """Return whether Flink has restarted a job."""
    return bool(cluster.get(f'/jobs/{job}')['timestamps']['RESTARTING'])


def state_of(cluster: Flink, job: str) -> str:
    """Return the state of a job in Flink's words, such as RUNNING."""
    return str(cluster.get(f'/jobs/{job}')['state'])
