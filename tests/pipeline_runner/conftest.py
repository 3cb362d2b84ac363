"""A checkout, a folder in which commands run, and a first run in it."""

from __future__ import annotations

import pathlib
import shutil
from typing import NamedTuple

import pytest

from tests.conftest import REPO, SAMPLE, Finished, restore_folder, run_command


class FirstRun(NamedTuple):
    """A folder with a first run, and a copy of its content."""

    home: pathlib.Path
    copy: pathlib.Path
    finished: Finished


def run_sample(*args: str, cwd: pathlib.Path, repo: pathlib.Path) -> Finished:
    """Run the pipeline on the sample data."""
    return run_command('run', '--data', str(SAMPLE), *args, cwd=cwd, repo=repo)


@pytest.fixture(scope='session')
def repo(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the checkout, whose code tests may edit."""
    copy = tmp_path_factory.mktemp('checkout') / 'repo'
    ignore = shutil.ignore_patterns('.*', 'runs', '__pycache__', 'tests', 'requirements')
    return shutil.copytree(REPO, copy, ignore=ignore)


@pytest.fixture(scope='session')
def first_run(tmp_path_factory: pytest.TempPathFactory, repo: pathlib.Path) -> FirstRun:
    """A run on the sample data."""
    home = tmp_path_factory.mktemp('home')
    finished = run_sample('--json', cwd=home, repo=repo)
    copy = shutil.copytree(home, tmp_path_factory.mktemp('copy') / 'home', symlinks=True)
    return FirstRun(home, copy, finished)


@pytest.fixture
def first(first_run: FirstRun) -> Finished:
    """The result of the first run."""
    return first_run.finished


@pytest.fixture
def home(first_run: FirstRun) -> pathlib.Path:
    """The folder of the first run, in the state after that run, whatever other tests did."""
    restore_folder(first_run.home, first_run.copy)
    return first_run.home


@pytest.fixture
def serving(home: pathlib.Path, first: Finished) -> pathlib.Path:
    """The serving folder after the first run."""
    assert first.code == 0, first.err
    return home / 'runs' / 'serving' / 'sentiment'
