from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import nodes, report
from benchmarks.harness import Measured, RunError
from tests.conftest import NODES, REPO

PROGRAM = """
import pathlib, sys, time
from benchmarks.node_usage import NodeUsage
from pipeline.results.outcome import NodeResult

NodeUsage.file = pathlib.Path(sys.argv[1])
meter = NodeUsage(sys.stderr, quiet=True)
nodes = [('A', 300, 0.0), ('B', 0, 0.4), ('C', 0, 0.0)]
for index, (name, megabytes, seconds) in enumerate(nodes, start=1):
    meter.node_started(index, 3, name)
    text = b'x' * (megabytes << 20)
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    del text
    meter.node_finished(index, 3, NodeResult(id=name, state='executed', seconds=1.0))
"""


@pytest.mark.skipif(
    sys.platform != 'linux',
    reason='only Linux resets the peak memory of a process (/proc/self/clear_refs)',
)
def test_each_node_has_its_own_memory_and_time(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'nodes.json'
    subprocess.run([sys.executable, '-c', PROGRAM, str(file)], cwd=REPO, check=True)
    large, slow, idle = json.loads(file.read_text()).values()
    assert large['peak_bytes'] > slow['peak_bytes'] + (250 << 20)
    assert slow['peak_bytes'] > 5 << 20
    assert slow['cpu_seconds'] >= 0.4
    assert idle['cpu_seconds'] < 0.2


@pytest.mark.slow
def test_nodes_are_measured_when_the_pipeline_runs(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / 'nodes.json'
    command = ['nodes', '--data', str(archive), '--factors', '1', '--output', str(output)]
    assert cli.exit_code([*command, '--variants', 'ngram+trainer.model.max_ngram=1']) == 0
    (run,) = report.load(output)['runs']
    assert sum(run['examples'].values()) == 800
    assert set(run['nodes']) == set(NODES)
    for node in run['nodes'].values():
        assert node['cpu_seconds'] > 0
        assert 200 << 20 < node['peak_bytes'] < 4 << 30
    # An example of 50 letters and what it is wrapped in, packed.
    assert 8_000 < run['nodes']['ExampleGen']['output_bytes'] < 400_000


USAGE = {'cpu_seconds': 12.34, 'peak_bytes': 3 << 29, 'output_bytes': 5_600_000}


@pytest.fixture
def fake_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replace the runs; an error text makes the preparation of the data fail."""

    def run(_: pathlib.Path, variant: str, __: pathlib.Path) -> dict[str, Any]:
        if variant == 'tutorial':
            raise RunError('exit code 1: no luck')
        return {'nodes': {'Trainer': USAGE}, 'input_bytes': 100, 'examples': {'train': 8}}

    def replace(err: str = '') -> None:
        made = Measured(1, 1, 1, code=1 if err else 0, out='{}', err=err)
        monkeypatch.setattr(nodes, 'make_data', lambda *_: made)

    monkeypatch.setattr(nodes, '_run', run)
    return replace


def test_other_runs_continue_when_one_fails(
    archive: pathlib.Path, fake_runs: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_runs('')
    command = ['nodes', '--data', str(archive), '--factors', '0.5', '--variants', 'tutorial,ngram']
    assert cli.exit_code(command) == 5
    out, err = capsys.readouterr()
    *_, failed, done = out.splitlines()
    assert failed == '| 0.5 | tutorial | failed: exit code 1: no luck |  |  |  |'
    assert done == '| 0.5 | ngram | Trainer | 12.3 | 1.50 | 5.6 |'
    assert err.splitlines()[-1].startswith('error: a run failed: exit code 1: no luck;')


def test_runs_fail_in_one_line_when_their_data_cannot_be_created(
    archive: pathlib.Path, fake_runs: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_runs('OSError: no space')
    command = ['nodes', '--data', str(archive), '--factors', '1', '--variants', 'ngram']
    assert cli.exit_code(command) == 5
    out, err = capsys.readouterr()
    assert 'failed: exit code 1: OSError: no space' in out
    assert 'error: a run failed: exit code 1: OSError: no space' in err.splitlines()[-1]
