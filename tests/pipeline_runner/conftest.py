"""A checkout, a folder that commands are typed in, and a first run there."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.conftest import REPO, Finished
from tests.pipeline_runner.runs import run_sample


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An empty folder that the commands are typed in."""
    return tmp_path_factory.mktemp('home')


@pytest.fixture(scope='module')
def repo(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the checkout, whose code may be edited."""
    copy = tmp_path_factory.mktemp('checkout') / 'repo'
    ignore = shutil.ignore_patterns('.*', 'runs', '__pycache__', 'tests', 'requirements')
    return shutil.copytree(REPO, copy, ignore=ignore)


@pytest.fixture(scope='module')
def first(home: pathlib.Path, repo: pathlib.Path) -> Finished:
    """The first run there, on the sample data."""
    return run_sample('--json', cwd=home, repo=repo)


@pytest.fixture
def serving(home: pathlib.Path, first: Finished) -> pathlib.Path:
    """The folder of versions, after the first run."""
    assert first.code == 0, first.err
    return home / 'runs' / 'serving' / 'sentiment'
