"""A folder with a first run, in which commands run."""

from __future__ import annotations

import pathlib

import pytest

from tests.conftest import SAMPLE, Finished, FirstRun, call_command, restore_folder


def run_sample(*args: str, cwd: pathlib.Path) -> Finished:
    """Run the pipeline on the sample data, in this process."""
    return call_command('run', '--data', str(SAMPLE), *args, cwd=cwd)


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
