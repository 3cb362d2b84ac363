"""A rehearsal whose steps run in containers of the image."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pipeline.cloud.rehearsal.workspace import cut_sample
from tests.conftest import REPO
from tests.containers.engine import Engine, say

pytestmark = pytest.mark.containers

_ROWS = 600
_CONTAINER_USER = 1000


def test_rehearsal_pushes_when_its_steps_run_in_the_image(engine: Engine, image: str) -> None:
    root = engine.folder / 'rehearsal'
    cut_sample(root / 'data', rows=_ROWS)
    say(f'rehearse --engine {engine.name}: some minutes')
    options = ['--target', 'kubeflow', '--engine', engine.name, '--image', image, '--json']
    done = subprocess.run(
        [
            *(sys.executable, str(REPO / 'pipeline_runner.py'), 'rehearse', *options),
            *('--data', str(root / 'data'), '--root', str(root / 'runs')),
        ],
        env={**os.environ, **engine.env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome['outcome'] == 'pushed'
    assert {node['state'] for node in outcome['nodes']} == {'executed'}
    versions = list((root / 'runs' / 'kubeflow' / 'serving' / 'sentiment').glob('[0-9]*'))
    assert [version.name for version in versions] == [outcome['pushed']['version']]
    if engine.shares_user_ids:
        written = [path for version in versions for path in version.rglob('*') if path.is_file()]
        assert {path.stat().st_uid for path in written} == {_CONTAINER_USER}
