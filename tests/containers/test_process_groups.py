"""An interrupted command ends with everything that it started."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest

from pipeline.process.signals import Terminated
from tests.containers import process_groups

# A command with a grandchild, as the build of `make image` is; it writes its number to a file.
_FAMILY = """
sh -c '{trap}; echo $$ > {folder}/part; mv {folder}/part {folder}/pid; sleep 1000 & wait' &
wait
"""


def has_ended(file: pathlib.Path) -> bool:
    """Wait for the process of that number to end."""
    status = pathlib.Path('/proc', file.read_text().strip(), 'stat')
    for _ in range(400):
        try:
            if status.read_text().rpartition(')')[2].split()[0] == 'Z':
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def interrupt(folder: pathlib.Path, trap: str = ':') -> None:
    """Start the family, and interrupt it when all of it runs."""
    with process_groups.start_command(['sh', '-c', _FAMILY.format(folder=folder, trap=trap)]):
        deadline = time.monotonic() + 60
        while not (folder / 'pid').exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise KeyboardInterrupt('enough')


@pytest.mark.parametrize('trap', [':', 'trap "sleep 0.3; touch {}/cleaned; exit" TERM'])
def test_grandchild_ends_when_the_command_is_interrupted(trap: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(KeyboardInterrupt, match='enough'):
        interrupt(tmp_path, trap.format(tmp_path))
    assert has_ended(tmp_path / 'pid')
    assert (tmp_path / 'cleaned').exists() == ('cleaned' in trap)


def test_grandchild_is_killed_when_it_ignores_sigterm(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_groups, '_TERMINATION_SECONDS', 0.2)
    with pytest.raises(KeyboardInterrupt, match='enough'):
        interrupt(tmp_path, 'trap "" TERM')
    assert has_ended(tmp_path / 'pid')


def test_grandchild_ends_when_the_time_of_the_command_is_over(tmp_path: pathlib.Path) -> None:
    command = ['sh', '-c', _FAMILY.format(folder=tmp_path, trap=':')]
    with pytest.raises(subprocess.TimeoutExpired, match='timed out after'):
        process_groups.run_command(command, timeout=2)
    assert has_ended(tmp_path / 'pid')


def test_output_and_exit_code_are_returned_when_a_command_ends_by_itself() -> None:
    command = ['sh', '-c', 'echo out; cat; exit 3']
    done = process_groups.run_command(command, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (3, 'out\n')


def raise_once(number: int, done: list[str]) -> None:
    with process_groups.raise_when_terminated():
        try:
            os.kill(os.getpid(), number)
            done.append('not interrupted')
        finally:
            # `timeout`, a shell and a terminal may each pass on the same signal.
            os.kill(os.getpid(), number)
            done.append('cleaned up')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('default_signals')
def test_signal_raises_once_and_its_handler_is_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    done: list[str] = []
    with pytest.raises(Terminated, match=f'stopped by {number.name}'):
        raise_once(number, done)
    assert done == ['cleaned up']
    assert signal.getsignal(number) is before


def defer(number: int, done: list[str]) -> None:
    with process_groups.raise_when_terminated(), process_groups.defer_signals():
        os.kill(os.getpid(), number)
        done.append('not interrupted')


@pytest.mark.parametrize(
    ('number', 'message'), [(signal.SIGINT, '^$'), (signal.SIGTERM, 'stopped by SIGTERM')]
)
@pytest.mark.usefixtures('default_signals')
def test_signal_is_deferred_to_the_end_of_the_block(number: signal.Signals, message: str) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt, match=message):
        defer(number, done)
    assert done == ['not interrupted']


def test_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with process_groups.raise_when_terminated():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
