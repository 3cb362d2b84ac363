"""Runs that are stopped by a signal, by the kernel, or because another run is in progress."""

from __future__ import annotations

import contextlib
import csv
import json
import pathlib
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tests.conftest import REPO, SAMPLE, call_command, children

# A model that trains several epochs, and bounds that it meets on so little data.
COMMAND = (
    'run', '--data', 'reviews.csv', '--json', '--preset', 'tutorial',
    '--set', 'text.vocab_size=3000', '--set', 'gate.min_accuracy=0.4', '--set', 'gate.min_auc=0.51',
)  # fmt: skip
_NAME = 'sentiment'


@contextlib.contextmanager
def running(home: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """Run the pipeline on a part of the sample in the background."""
    with subprocess.Popen(
        [sys.executable, str(REPO / 'pipeline_runner.py'), *COMMAND],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(home: pathlib.Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Wait until a node has created its folder."""
    artifacts = home / 'runs' / 'artifacts' / _NAME
    while not list(artifacts.glob(pattern)):
        assert process.poll() is None, 'the run has ended'
        time.sleep(0.002)


def wait_until_ended(pids: list[int]) -> None:
    """Wait until processes have ended, or are zombies that nobody waits for."""
    deadline = time.monotonic() + 10
    for pid in pids:
        status = pathlib.Path('/proc', str(pid), 'status')
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while 'State:\tZ' not in status.read_text(encoding='utf-8'):
                assert time.monotonic() < deadline, f'process {pid} is still running'
                time.sleep(0.05)


def states(home: pathlib.Path) -> list[int]:
    """Return the states of all executions in ML Metadata."""
    path = home / 'runs' / 'metadata.sqlite'
    with contextlib.closing(sqlite3.connect(path)) as store:
        assert store.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    return [e.last_known_state for e in metadata_store.MetadataStore(config).get_executions()]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a quarter of the sample."""
    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.reader(file))
    with open(tmp_path / 'reviews.csv', 'w', encoding='utf-8', newline='') as file:
        csv.writer(file).writerows(rows[:1] + rows[1::4])
    return tmp_path


@pytest.mark.usefixtures('quick_smoke_tests')
def test_runs_resume_when_they_were_interrupted_killed_and_terminated(
    home: pathlib.Path,
) -> None:
    """Each step continues where the one before was stopped."""
    _check_that_an_interrupted_run_leaves_a_record_and_no_files(home)
    _check_that_the_report_names_the_interrupted_node(home)
    # This one also kills the run in progress.
    _check_that_a_second_run_is_refused_while_one_is_in_progress(home)
    _check_that_a_run_after_a_killed_one_is_terminated_while_it_trains(home)
    _check_that_a_run_resumes_from_the_node_at_which_it_was_terminated(home)


def _check_that_an_interrupted_run_leaves_a_record_and_no_files(home: pathlib.Path) -> None:
    with running(home) as process:
        wait_for(home, 'ExampleGen/examples/*', process)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert time.monotonic() - began < 5
    assert process.returncode == 130, err
    last = err.splitlines()[-1]
    assert last.startswith('interrupted; to resume from the cached nodes, run: ')
    typed = [sys.executable, str(REPO / 'pipeline_runner.py'), *COMMAND]
    assert shlex.split(last.partition(': ')[2]) == typed
    outcome = json.loads(out)
    assert outcome['outcome'] == 'interrupted'
    assert outcome['error'] == 'stopped by SIGINT'
    nodes = [node['state'] for node in outcome['nodes']]
    assert nodes[0] == 'interrupted'
    # SchemaGen needs no inputs, so it runs at the same time.
    assert nodes[1] in ('executed', 'interrupted')
    assert nodes[2:] == ['skipped'] * 7
    assert call_command('runs', '--json', cwd=home).json == [outcome]
    assert metadata_store_pb2.Execution.RUNNING not in states(home)
    assert not list((home / 'runs' / 'artifacts').rglob('*.gz'))


def _check_that_the_report_names_the_interrupted_node(home: pathlib.Path) -> None:
    done = call_command('report', cwd=home)
    assert done.code == 0, done.err
    page = pathlib.Path(done.out.strip()).read_text(encoding='utf-8')
    assert 'Interrupted at ExampleGen' in page
    assert 'stopped by SIGINT.' in page


def _check_that_a_second_run_is_refused_while_one_is_in_progress(home: pathlib.Path) -> None:
    with running(home) as process:
        wait_for(home, 'Transform/transform_graph/*', process)
        process.send_signal(signal.SIGSTOP)  # where it is, for as long as the other takes
        refused = call_command(*COMMAND, cwd=home)
        workers = children(process.pid)
        process.kill()
    assert len(workers) == 2
    wait_until_ended(workers)
    assert refused.code == 2
    assert f'another run of {_NAME} is in progress: run ' in refused.err
    assert f'process {process.pid}, since ' in refused.err
    assert len(refused.err.splitlines()) == 1
    assert refused.json['outcome'] == 'failed'


def _check_that_a_run_after_a_killed_one_is_terminated_while_it_trains(home: pathlib.Path) -> None:
    (dead,) = (home / 'runs' / 'artifacts' / _NAME / 'Transform' / 'transform_graph').iterdir()
    assert metadata_store_pb2.Execution.RUNNING in states(home)
    with running(home) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if 'epoch 1/10' in line)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    assert err.splitlines()[-1].startswith('terminated; to resume from the cached nodes, run: ')
    found = {node['id']: node['state'] for node in json.loads(out)['nodes']}
    assert (found['ExampleGen'], found['SchemaGen']) == ('cached', 'cached')
    assert (found['Transform'], found['Trainer']) == ('executed', 'interrupted')
    assert [*found.values()][6:] == ['skipped'] * 3
    assert not dead.exists()


def _check_that_a_run_resumes_from_the_node_at_which_it_was_terminated(home: pathlib.Path) -> None:
    done = call_command(*COMMAND, cwd=home)
    assert done.code == 0, done.err
    outcome = done.json
    assert outcome['outcome'] == 'pushed'
    nodes = done.states()
    assert [nodes[node] for node in ('ExampleGen', 'SchemaGen', 'Transform')] == ['cached'] * 3
    assert [*nodes.values()][5:] == ['executed'] * 4
    assert 'train 639, val 155, test 206' in done.err  # a preset says how much is for val
    for epoch in range(1, 11):
        assert f'epoch {epoch}/10: val accuracy' in done.err
    assert metadata_store_pb2.Execution.RUNNING not in states(home)
    assert states(home).count(metadata_store_pb2.Execution.CANCELED) >= 3
    _, killed, terminated, last = call_command('runs', '--json', cwd=home).json
    assert last == outcome
    assert terminated['error'] == 'stopped by SIGTERM'
    assert killed['outcome'] == 'interrupted'
    assert 'was killed, or the machine went down' in killed['error']
    assert killed['config'] == last['config']
    # What the nodes of a run need while they work goes with them.
    artifacts = home / 'runs' / 'artifacts' / _NAME
    system = [path for path in artifacts.glob('*/.system/*/*') if any(path.iterdir())]
    assert system == []
    assert list((home / 'runs' / 'tmp').iterdir()) == []
