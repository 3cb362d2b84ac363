from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import __main__ as cli
from benchmarks import cost, report
from tests.benchmarks.test_bench import archive
from tests.conftest import REPO

__all__ = ['archive']  # a fixture

METERED = """
import pathlib, sys, time
from benchmarks import metered
from pipeline.outcome import NodeResult

metered._FILE = pathlib.Path(sys.argv[1])
meter = metered._Meter(sys.stderr, quiet=True)
for index, (name, megabytes, seconds) in enumerate((('A', 300, 0.0), ('B', 0, 0.4)), start=1):
    meter.node_started(index, 2, name)
    text = b'x' * (megabytes << 20)
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    del text
    meter.node_finished(index, 2, NodeResult(id=name, state='executed', seconds=1.0))
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='the kernel of Linux says it')
def test_each_node_has_its_own_figures_when_one_takes_memory_and_the_next_time(
    tmp_path: pathlib.Path,
) -> None:
    file = tmp_path / 'nodes.json'
    subprocess.run([sys.executable, '-c', METERED, str(file)], cwd=REPO, check=True)
    one, other = json.loads(file.read_text()).values()
    assert one['peak_bytes'] > other['peak_bytes'] + (250 << 20)
    assert other['peak_bytes'] > 5 << 20
    assert other['cpu_seconds'] >= 0.4
    assert other['cpu_seconds'] > one['cpu_seconds']


@pytest.mark.slow
def test_growth_is_found_when_the_pipeline_is_measured(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / 'nodes.json'
    command = ['nodes', '--data', str(archive), '--factors', '1,2', '--output', str(output)]
    assert cli.exit_code([*command, '--variants', 'ngram+trainer.max_ngram=1']) == 0
    results = report.load(output)
    (variant,) = {run['variant'] for run in results['runs']}
    sizes = [sum(run['examples'].values()) for run in results['runs']]
    assert sizes == [200, 400]
    grown = cost.growth(results, variant)
    assert set(grown) == set(cost.READS)
    for node in grown.values():
        assert node.cpu.at(400) > 0
        assert 200 << 20 < node.peak.at(400) < 4 << 30
    # An example of 30 letters and what it is wrapped in, packed.
    assert 10 < grown['ExampleGen'].output.slope < 500


def test_variant_is_refused_when_its_preset_is_not_known(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    command = ['nodes', '--data', str(archive), '--variants', 'none+trainer.max_ngram=1']
    assert cli.exit_code([*command, '--output', str(tmp_path / 'nodes.json')]) == 2
    assert not (tmp_path / 'nodes.json').exists()
