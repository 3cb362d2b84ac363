from __future__ import annotations

import json
import pathlib
import statistics
import subprocess
import sys

import pytest

from tests.conftest import REPO, SAMPLE, run_command
from tests.torture.conftest import Tally

_SECONDS = 60
# Of 1,000,000 texts and more: what grows with each call would show.
_MAX_GROWTH_BYTES = 32 << 20


@pytest.mark.parametrize('preset', ['ngram', 'accurate'])
def test_scores_and_memory_are_stable_when_eight_threads_call_the_model(
    preset: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    pushed = run_command('run', '--data', str(SAMPLE), '--preset', preset, '--json', cwd=tmp_path)
    assert pushed.code == 0, pushed.err

    done = subprocess.run(
        [sys.executable, '-m', 'tests.torture.load', pushed.json['pushed']['path'], str(_SECONDS)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS + 120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])

    lost = said['changed'] + len(said['errors'])
    tally(
        fault=f'load: calls of the pushed model ({preset}) from 8 threads for {_SECONDS} s',
        runs=said['calls'],
        faults=0,
        losses=lost,
    )
    assert not said['errors']
    assert not said['changed']
    assert said['texts'] > 10_000
    memory = said['resident_bytes']
    growth = statistics.median(memory[-5:]) - statistics.median(memory[:5])
    assert growth < _MAX_GROWTH_BYTES, [size >> 20 for size in memory]
