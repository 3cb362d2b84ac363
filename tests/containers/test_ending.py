"""What ends, takes along all that it has started."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest

from pipeline.process.signals import Terminated
from tests.containers import ending

# A child of a child, as the build of `make image` is; it says who it is.
_FAMILY = """
sh -c '{trap}; echo $$ > {folder}/part; mv {folder}/part {folder}/pid; sleep 1000 & wait' &
wait
"""


def ends(file: pathlib.Path) -> bool:
    """Wait for the process of that number to end: only the group's leader is waited for."""
    status = pathlib.Path('/proc', file.read_text().strip(), 'stat')
    for _ in range(100):
        try:
            if status.read_text().rpartition(')')[2].split()[0] == 'Z':
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def wait_for(file: pathlib.Path) -> None:
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def break_off(folder: pathlib.Path, trap: str = ':') -> None:
    """Start the family, and break that off once it is all there."""
    with ending.started(['sh', '-c', _FAMILY.format(folder=folder, trap=trap)]):
        wait_for(folder / 'pid')
        raise KeyboardInterrupt('enough')


def test_all_that_a_command_started_has_ended_when_it_is_broken_off(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(KeyboardInterrupt, match='enough'):
        break_off(tmp_path)
    assert ends(tmp_path / 'pid')


def test_it_may_clean_up_when_it_is_asked_to_end(tmp_path: pathlib.Path) -> None:
    with pytest.raises(KeyboardInterrupt, match='enough'):
        break_off(tmp_path, f'trap "sleep 0.3; touch {tmp_path}/cleaned; exit" TERM')
    assert (tmp_path / 'cleaned').exists()


def test_it_is_killed_when_it_does_not_end(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, '_SECONDS', 0.2)
    with pytest.raises(KeyboardInterrupt, match='enough'):
        break_off(tmp_path, 'trap "" TERM')
    assert ends(tmp_path / 'pid')


def test_it_is_broken_off_when_its_time_is_over(tmp_path: pathlib.Path) -> None:
    command = ['sh', '-c', _FAMILY.format(folder=tmp_path, trap=':')]
    with pytest.raises(subprocess.TimeoutExpired, match='timed out after'):
        ending.run(command, timeout=1)
    assert ends(tmp_path / 'pid')


def test_what_it_printed_and_its_code_are_returned_when_it_ends_by_itself() -> None:
    done = ending.run(['sh', '-c', 'echo out; cat; exit 3'], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (3, 'out\n')


def unwind_by(number: int, done: list[str]) -> None:
    with ending.unwinding():
        try:
            os.kill(os.getpid(), number)
            done.append('went on')
        finally:
            # `timeout`, a shell and a terminal may each pass on the one signal that was meant.
            os.kill(os.getpid(), number)
            done.append('cleaned up')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('signals_arrive')
def test_a_signal_unwinds_once_and_is_the_systems_again_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    done: list[str] = []
    with pytest.raises(Terminated, match=f'stopped by {number.name}'):
        unwind_by(number, done)
    assert done == ['cleaned up']
    assert signal.getsignal(number) is before


def put_off(number: int, done: list[str]) -> None:
    with ending.unwinding(), ending.undisturbed():
        os.kill(os.getpid(), number)
        done.append('went on')


@pytest.mark.parametrize(
    ('number', 'message'), [(signal.SIGINT, '^$'), (signal.SIGTERM, 'stopped by SIGTERM')]
)
@pytest.mark.usefixtures('signals_arrive')
def test_a_signal_is_put_off_when_nothing_may_disturb(number: signal.Signals, message: str) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt, match=message):
        put_off(number, done)
    assert done == ['went on']


def test_a_signal_stays_ignored_when_it_was_before() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending.unwinding():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
