"""Runs on a Flink cluster with two task managers."""

from __future__ import annotations

import pathlib

import pytest

from tests.engine.cluster import Flink
from tests.pipeline.beam.results import Results, require_equal, run

pytestmark = pytest.mark.engine


def test_results_equal_those_of_a_local_run_when_flink_reads_the_data(
    cluster: Flink,
    workers: tuple[str, ...],
    sample: pathlib.Path,
    local: Results,
    tmp_path: pathlib.Path,
) -> None:
    found = run(sample, tmp_path / 'runs', 'ngram', *cluster.beam_args, *workers)
    require_equal(found, local)
    assert [job['state'] for job in cluster.jobs()] == ['FINISHED'] * 4
