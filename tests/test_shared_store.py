"""Whole runs, as commands, of a team that shares a store on MariaDB."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import REPO, SAMPLE, Finished, run_command
from tests.mariadb import PASSWORD, Server, server

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        server(tmp_path_factory.mktemp('mariadb')) as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv('METADATA_PASSWORD', PASSWORD)
        yield started


def arguments(root: pathlib.Path, *more: str) -> list[str]:
    return ['run', '--json', '--data', str(SAMPLE), '--root', str(root), *more]


def start_command(*args: str, cwd: pathlib.Path) -> subprocess.Popen[str]:
    """Start a command in the background."""
    return subprocess.Popen(
        [sys.executable, str(REPO / 'pipeline_runner.py'), *args],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip


def wait_for(process: subprocess.Popen[str]) -> Finished:
    out, err = process.communicate(timeout=900)
    return Finished(process.returncode, out, err)


def states(done: Finished) -> set[str]:
    return set(done.states().values())


def comparable_results(outcome: Any) -> Any:
    return [outcome[key] for key in ('outcome', 'metrics', 'slices', 'thresholds', 'baseline')]


def test_results_equal_those_on_sqlite_when_the_store_is_on_a_server(
    mariadb: Server, tmp_path: pathlib.Path
) -> None:
    flags = mariadb.flags()
    kinds = {'file': (), 'server': tuple(flags)}
    results = {
        kind: [
            run_command(*arguments(tmp_path / kind, *more, *store), cwd=tmp_path)
            for more in (
                (),
                (),
                ('--set=trainer.model.svm_cost=0.2', '--set=gate.max_accuracy_drop=0.2'),
            )
        ]
        for kind, store in kinds.items()
    }
    for on_file, on_server in zip(results['file'], results['server']):
        assert on_server.code == on_file.code == 0, on_server.err
        assert comparable_results(on_server.json) == comparable_results(on_file.json)
        assert on_server.states() == on_file.states()
    assert states(results['server'][1]) == {'cached'}
    assert results['server'][2].json['baseline'] is not None
    # Each command finds the store by the root alone.
    report = run_command(
        'report', '--root', str(tmp_path / 'server'), '--output', 'a.html', cwd=tmp_path
    )
    assert report.code == 0, report.err
    assert 'ML Metadata has nothing' not in (tmp_path / 'a.html').read_text()
    doctor = run_command('doctor', '--json', '--root', str(tmp_path / 'server'), cwd=tmp_path)
    of_store = [f for f in json.loads(doctor.out) if f['area'] == 'store']
    assert [f['message'] for f in of_store if f['state'] != 'ok'] == []
    assert any('; schema 10' in f['message'] for f in of_store)


@pytest.mark.parametrize('names', [('twin', 'twin'), ('spam', 'ham')])
def test_both_runs_succeed_when_they_share_an_empty_store(
    mariadb: Server, tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
    database = f'reviews_{names[0]}'
    mariadb.new_database(database)
    commands = [
        arguments(tmp_path / root, '--name', name, *mariadb.flags(database))
        for root, name in zip(('one', 'two'), names)
    ]
    both = [start_command(*command, cwd=tmp_path) for command in commands]
    done = [wait_for(process) for process in both]
    first, *late = sorted(done, key=lambda one: one.code)
    assert first.code == 0, first.err
    for one in late:
        if one.code == 2 and names[0] == names[1]:
            # The other has pushed its model meanwhile.
            assert 'the baseline changed from none to version' in one.err
            again = run_command(*commands[done.index(one)], cwd=tmp_path)
            assert again.code == 0, again.err
            of_model = {**first.json['metrics']}
            del of_model['test_overlap_percent']
            assert again.json['baseline'] == of_model
        else:
            assert one.code == 0, one.err
            assert one.json['outcome'] == 'pushed'
    assert done[0].json['metrics'] == done[1].json['metrics'] != {}
    assert done[0].json['run_id'] != done[1].json['run_id']
    twice = 'SELECT name, type_kind, COUNT(*) AS n FROM Type GROUP BY name, type_kind HAVING n > 1'
    assert mariadb.execute(twice, database) == []
    # Complete or cached: none goes on, failed or was called off.
    ended = 'SELECT DISTINCT last_known_state IN (3, 5) FROM Execution'
    assert mariadb.execute(ended, database) == [['1']]


def test_same_command_resumes_when_the_server_was_killed_during_a_run(
    mariadb: Server, tmp_path: pathlib.Path
) -> None:
    args = arguments(tmp_path / 'root', '--name', 'killed', *mariadb.flags())
    process = start_command(*args, cwd=tmp_path)
    deadline = time.monotonic() + 300
    try:
        while not list(tmp_path.glob('root/artifacts/killed/Trainer/model/*')):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        mariadb.kill()
        done = wait_for(process)
        assert done.code == 7
        (line,) = [line for line in done.err.splitlines() if line.startswith('error: ')]
        assert 'cannot reach the MySQL database reviews at 127.0.0.1' in line
        assert line.endswith('then run the same command again to resume')
        assert 'Traceback' not in done.err
        assert done.json['outcome'] == 'failed'
        assert not list(tmp_path.glob('root/serving/*/*'))
        refused = run_command(*args, cwd=tmp_path)
        assert refused.code == 7
    finally:
        process.kill()
        mariadb.start()
    done = run_command(*args, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json['outcome'] == 'pushed'
    assert done.states()['Transform'] == 'cached'
    assert done.states()['Trainer'] == 'executed'
    running = 'SELECT COUNT(*) FROM Execution WHERE last_known_state = 2'
    assert mariadb.execute(running) == [['0']]
