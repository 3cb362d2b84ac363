"""Fixtures: the cluster, and local runs to compare with."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.engine import jars
from tests.engine.cluster import Flink, flink
from tests.pipeline.beam.results import Results, run, write_sample


def find_jars(engine: str) -> pathlib.Path:
    folder = jars.folder_of(engine)
    if not folder.is_dir():
        pytest.skip(f'needs the jars of {engine}: run make engine')
    return folder


@pytest.fixture(scope='session')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with flink(tmp_path_factory.mktemp('flink') / 'cluster', find_jars('flink')) as started:
        yield started


@pytest.fixture(scope='session')
def sample(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The sample, in several files."""
    return write_sample(tmp_path_factory.mktemp('sample'))


@pytest.fixture(scope='session')
def local(sample: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a local run on the sample."""
    return run(sample, tmp_path_factory.mktemp('local') / 'runs', 'ngram')
