"""The commands `runs` and `tensorboard`, after runs that have ended."""

from __future__ import annotations

import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from tests.conftest import REPO, Finished, call_command
from tests.listening import listening


def test_runs_are_listed_when_they_have_ended(home: pathlib.Path, first: Finished) -> None:
    done = call_command('runs', cwd=home)
    assert done.code == 0
    assert first.json['run_id'] in done.out
    listed = call_command('runs', '--json', cwd=home).json
    assert listed[0]['run_id'] == first.json['run_id']


def test_tensorboard_serves_training_curves_until_it_is_interrupted(
    first: Finished, home: pathlib.Path
) -> None:
    run_id = first.json['run_id']
    process = subprocess.Popen(
        [sys.executable, str(REPO / 'pipeline_runner.py'), 'tensorboard', '--port', '0'],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        (url,) = re.findall(r'http://127\.0\.0\.1:\d+/', process.stdout.readline())
        logged = f'sentiment {run_id} ngram/validation'
        deadline = time.monotonic() + 300
        while logged not in fetch(f'{url}data/runs') and time.monotonic() < deadline:
            time.sleep(0.5)
        assert {f'sentiment {run_id} ngram/train', logged} <= set(fetch(f'{url}data/runs'))
        query = urllib.parse.urlencode({'run': logged, 'tag': 'epoch_binary_accuracy'})
        ((_, step, accuracy),) = fetch(f'{url}data/plugin/scalars/scalars?{query}')
        assert step == 0
        assert f'val accuracy {accuracy:.4f}' in first.err
        assert listening(process.pid) == {'127.0.0.1'}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0
    assert out == ''
    assert 'Traceback' not in err


def fetch(url: str) -> Any:
    """Return what an address answers as JSON."""
    with urllib.request.urlopen(url, timeout=300) as answer:
        return json.load(answer)
