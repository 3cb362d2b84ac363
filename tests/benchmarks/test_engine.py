from __future__ import annotations

import csv
import pathlib
import subprocess
import sys
import time

import pytest

from benchmarks import __main__ as cli
from benchmarks import engine
from benchmarks.copies import write_copies
from benchmarks.recombine import words_of
from tests.conftest import REPO


def read_words(path: pathlib.Path) -> tuple[int, set[str]]:
    with path.open(encoding='utf-8', newline='') as file:
        words = [word for row in csv.DictReader(file) for word in words_of(row['text'])]
    return len(words), {word for word in words if len(word) > 3}


def test_each_copy_has_as_many_words_and_other_ones_when_imdb_is_copied(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert write_copies(archive, tmp_path / 'data', 5) == 5 * 801
    for split in ('train', 'test'):
        counts, words = zip(
            *(read_words(tmp_path / 'data' / f'{split}-{copy}.csv') for copy in range(5))
        )
        assert len(set(counts)) == 1
        assert len(set.union(*words)) == 5 * len(words[0])


PROGRAM = """
import json, pathlib, sys, time
file = pathlib.Path(sys.argv[1])
file.write_text('{}')
end = time.process_time() + 1
while time.process_time() < end:
    pass
file.write_text('{"A": {"seconds": 1.0}}')
time.sleep(1)
file.write_text('{"A": {"seconds": 1.0}, "B": {"seconds": 1.0}}')
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux has /proc')
def test_time_is_that_of_the_node_in_which_a_process_needs_it(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'nodes.json'
    meter = engine._Meter(file, None)
    command = [sys.executable, '-c', PROGRAM, str(file)]
    with subprocess.Popen(command, cwd=REPO, start_new_session=True) as process:
        while process.poll() is None:
            meter.sample(process.pid)
            time.sleep(0.05)
    busy, idle = meter.nodes().values()
    assert busy['cpu_seconds'] >= 0.8
    assert idle['cpu_seconds'] < 0.2


def test_table_has_a_row_per_node_and_size() -> None:
    node = {'seconds': 1.25, 'cpu_seconds': 2.0, 'peak_bytes': 3 << 20}
    runs = [
        {'copies': 5, 'task_managers': 0, 'error': None, 'nodes': {'ExampleGen': node}},
        {'copies': 5, 'task_managers': 2, 'error': 'lost'},
    ]
    _, _, first, *others = engine.table({'runs': runs}).splitlines()
    assert first == '| 5 times | ExampleGen | 1.2 | 2.0 | 3 |  |  |  |  |  |  |'
    assert len(others) == 3


@pytest.mark.parametrize('text', ['1', '9/0', '1/3', '1/0,'])
def test_runs_are_refused_when_they_are_not_copies_and_task_managers(
    text: str, archive: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.exit_code(['engine', '--data', str(archive), '--runs', text]) == 2
    assert 'expected COPIES/TASK_MANAGERS, such as 1/0,5/2' in capsys.readouterr().err
