from __future__ import annotations

import errno
import fcntl
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from components.common.errors import ConfigError, StoreError
from pipeline.store.run_lock import run_lock
from tests.conftest import REPO

_RUN_ID = '2026-11-25T08-00-00'
_HOLD = f"""
import pathlib, subprocess, sys
from pipeline.store.run_lock import Holder, run_lock

with run_lock(pathlib.Path(sys.argv[1]), 'spam') as lock:
    lock.set_holder(Holder(run_id='{_RUN_ID}', config={{'name': 'spam'}}))
    subprocess.Popen(['sleep', '30'])
    print('held', flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of `spam` and has started a child process."""
    with subprocess.Popen(
        [sys.executable, '-c', _HOLD, str(tmp_path)],
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


def test_error_names_the_holder_when_the_lock_is_held(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    expected = rf'another run of spam is in progress: run {_RUN_ID}, process {other.pid}, since'
    with pytest.raises(ConfigError, match=expected), run_lock(tmp_path, 'spam'):
        pytest.fail('two processes hold the lock')
    with run_lock(tmp_path, 'ham') as lock:  # of another pipeline
        assert not lock.waited


def test_lock_is_free_when_its_holder_was_killed_and_a_child_of_it_lives(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    other.kill()
    other.wait()
    with run_lock(tmp_path, 'spam') as lock:
        assert lock.killed_run is not None
        assert (lock.killed_run.run_id, lock.killed_run.pid) == (_RUN_ID, other.pid)
        lock.clear_holder()
    with run_lock(tmp_path, 'spam') as lock:
        assert lock.killed_run is None


def test_lock_is_acquired_after_the_other_run_when_waiting_is_allowed(
    other: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    messages = []

    def end_the_other(message: str) -> None:
        messages.append(message)
        assert other.stdin is not None
        other.stdin.write('\n')
        other.stdin.flush()

    with run_lock(tmp_path, 'spam', end_the_other) as lock:
        assert lock.waited
        assert other.wait(timeout=300) == 0
    (message,) = messages
    assert _RUN_ID in message


def test_error_is_one_line_when_the_file_system_has_no_locks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    with (
        pytest.raises(ConfigError, match='cannot write to the root .*: No locks available'),
        run_lock(tmp_path, 'spam'),
    ):
        pytest.fail('the lock was acquired')


def test_error_names_the_folder_to_remove_when_it_is_in_the_place_of_the_lock(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'locks' / 'spam.lock').mkdir(parents=True)
    with pytest.raises(StoreError, match=r'got a folder: .*spam\.lock'), run_lock(tmp_path, 'spam'):
        pytest.fail('the lock was acquired')
