from __future__ import annotations

import errno
import fcntl
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from components.common.errors import ConfigError, StoreError
from pipeline.local.lock import BusyError, Holder, run_lock
from tests.conftest import REPO

_HOLD = """
import pathlib, subprocess, sys
from pipeline.local.lock import Holder, run_lock

with run_lock(pathlib.Path(sys.argv[1]), 'spam') as lock:
    lock.tell(Holder.this_process('2026-11-25T08-00-00', {'name': 'spam'}))
    if len(sys.argv) > 2:
        subprocess.Popen(['sleep', '30'])
    print('held', flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of `spam`, and has started another."""
    with subprocess.Popen(
        [sys.executable, '-c', _HOLD, str(tmp_path), 'with child'],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        # `sleep` keeps it open.
        process.stdout.close()
        yield process
        process.kill()


def test_it_says_who_holds_the_lock_when_it_is_refused(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    told = rf'another run of spam is under way: run 2026-11-25T08-00-00, process {other.pid}, since'
    with pytest.raises(BusyError, match=told), run_lock(tmp_path, 'spam'):
        pass
    assert BusyError.exit_code == 2


def test_another_pipeline_is_free_when_one_is_locked(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    with run_lock(tmp_path, 'ham') as lock:
        assert not lock.waited


def test_lock_is_free_when_its_holder_was_killed_and_a_child_of_it_lives(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    other.kill()
    other.wait()
    with run_lock(tmp_path, 'spam') as lock:
        assert lock.dead is not None
        assert lock.dead.run_id == '2026-11-25T08-00-00'
        assert lock.dead.pid == other.pid


def test_it_waits_when_it_is_told_to(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    said = []

    def end_the_other(told: str) -> None:
        said.append(told)
        assert other.stdin is not None
        other.stdin.write('\n')
        other.stdin.flush()

    with run_lock(tmp_path, 'spam', end_the_other) as lock:
        assert lock.waited
        assert other.wait(timeout=10) == 0
    assert len(said) == 1
    assert '2026-11-25T08-00-00' in said[0]


def test_nobody_is_dead_when_the_lock_was_given_back(tmp_path: pathlib.Path) -> None:
    with run_lock(tmp_path, 'spam') as lock:
        assert lock.dead is None
        lock.tell(Holder.this_process('2026-11-25T08-00-00', {'name': 'spam'}))
        lock.give_back()
    with run_lock(tmp_path, 'spam') as lock:
        assert lock.dead is None


def test_it_says_so_when_the_file_system_has_no_locks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    expected = r'cannot lock .*spam\.lock: its file system has no locks \(No locks available\)'
    with pytest.raises(ConfigError, match=expected), run_lock(tmp_path, 'spam'):
        pass


def test_it_says_what_to_remove_when_a_folder_is_in_place_of_the_lock(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'locks' / 'spam.lock').mkdir(parents=True)
    with pytest.raises(StoreError, match='is a folder'), run_lock(tmp_path, 'spam'):
        pytest.fail('nobody can hold it')
