"""A run on Spark, with two executors in processes of their own."""

from __future__ import annotations

import pathlib

import pytest

from tests.engine.cluster import WORKERS, spark
from tests.engine.conftest import find_jars
from tests.pipeline.beam.results import Results, require_equal, run

pytestmark = pytest.mark.engine


def test_results_equal_those_of_a_local_run_when_spark_reads_the_data(
    sample: pathlib.Path, local: Results, tmp_path: pathlib.Path
) -> None:
    with spark(tmp_path / 'spark', find_jars('spark')) as service:
        found = run(sample, tmp_path / 'runs', 'ngram', *service.beam_args, *WORKERS)
    require_equal(found, local)
