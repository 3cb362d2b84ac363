"""Runs the tests of the processes of nodes apart from all other tests."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from pipeline.local.workers import CAN_FORK
from tests.conftest import REPO

_TESTS = pathlib.Path(__file__).with_name('workers_apart.py')


@pytest.mark.skipif(not CAN_FORK, reason='nodes run side by side on Linux only')
def test_processes_of_nodes_behave_when_nothing_else_has_used_grpc() -> None:
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', str(_TESTS)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert ' passed' in done.stdout
