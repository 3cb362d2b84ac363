"""Fuzzes each reader in a process with limited memory."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import REPO
from tests.torture.conftest import Tally
from tests.torture.fuzz_targets import TARGETS

# With two processes, 16 targets take some six minutes.
SECONDS = 40
Pending = dict[str, 'concurrent.futures.Future[dict[str, Any]]']


@pytest.fixture(scope='module')
def fuzzing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pending]:
    crashes = tmp_path_factory.mktemp('crashes')
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(fuzz, name, crashes) for name in TARGETS}


def fuzz(name: str, crashes: pathlib.Path) -> dict[str, Any]:
    command = [sys.executable, '-m', 'tests.torture.fuzz_targets', name, str(SECONDS), str(crashes)]
    done = subprocess.run(
        command, cwd=REPO, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize('name', TARGETS)
def test_reader_accepts_or_refuses_input_when_it_is_fuzzed(
    name: str, fuzzing: Pending, tally: Tally
) -> None:
    found = fuzzing[name].result()
    executions, crashes = found['executions'], found['crashes']
    tally(fault=f'fuzzed: {name}', runs=executions, faults=executions, losses=len(crashes))
    assert not crashes, '\n'.join(crashes)
    assert executions > 100
    # Some inputs must have reached code that the first ones did not.
    assert found['kept'] > len(TARGETS[name].seeds)
