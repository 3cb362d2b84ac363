"""Tests of processes that run the executors of nodes.

`test_workers.py` runs them in a process of its own: gRPC, which other tests use, does not
survive a fork.
"""

from __future__ import annotations

import concurrent.futures
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from components.common.errors import ComponentError, DataError
from components.common.progress import PROGRESS_LOGGER, report_progress
from pipeline.local.workers import NodeWorkers, StoppedError


def report_and_square(number: int) -> int:
    report_progress(f'number {number}')
    return number**2


def meet(folder: pathlib.Path, name: str, other: str) -> int:
    """Wait until a job with another name is running, too; return the id of this process."""
    (folder / name).touch()
    deadline = time.monotonic() + 60
    while not (folder / other).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return os.getpid()


def fail() -> None:
    raise DataError('expected a label, got none', hint='add a label')


def divide_by_zero() -> float:
    return 1 / 0


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_this_process() -> None:
    sys.exit(3)


def start_process_and_wait(folder: pathlib.Path) -> None:
    process = subprocess.Popen(['sleep', '300'])
    (folder / 'pid').write_text(str(process.pid), encoding='ascii')
    process.wait()


def test_result_and_progress_arrive_when_a_job_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, PROGRESS_LOGGER)
    with NodeWorkers(1) as workers:
        assert workers.run('Trainer', (report_and_square, (3,))) == 9
        assert workers.run('Evaluator', (report_and_square, (4,))) == 16
    assert caplog.messages == ['Trainer: number 3', 'Evaluator: number 4']


def test_jobs_run_at_the_same_time_when_there_are_two_processes(tmp_path: pathlib.Path) -> None:
    with NodeWorkers(2) as workers, concurrent.futures.ThreadPoolExecutor() as threads:
        one, other = (
            threads.submit(workers.run, name, (meet, (tmp_path, name, to_meet)))
            for name, to_meet in (('Trainer', 'StatisticsGen'), ('StatisticsGen', 'Trainer'))
        )
        assert len({os.getpid(), one.result(), other.result()}) == 3


def test_process_is_used_again_when_it_is_the_last_that_ended(tmp_path: pathlib.Path) -> None:
    with NodeWorkers(2) as workers:
        pids = {workers.run(name, (os.getpid, ())) for name in ('Trainer', 'Evaluator', 'Pusher')}
    assert len(pids) == 1


def test_error_has_its_hint_and_traceback_when_a_job_fails() -> None:
    with NodeWorkers(1) as workers:
        with pytest.raises(DataError, match='^expected a label, got none$') as caught:
            workers.run('ExampleGen', (fail, ()))
        assert caught.value.hint == 'add a label'
        assert 'in fail' in str(caught.value.__cause__)
        with pytest.raises(ComponentError, match='^Trainer failed: ZeroDivisionError: division'):
            workers.run('Trainer', (divide_by_zero, ()))
        assert workers.count == 1


@pytest.mark.parametrize(
    ('job', 'how'), [(kill_this_process, 'SIGKILL'), (exit_this_process, 'exit code 3')]
)
def test_error_says_how_the_process_ended_when_it_did_not_answer(job: object, how: str) -> None:
    with NodeWorkers(2) as workers:
        message = f'^Trainer: its process was ended by {how}$'
        with pytest.raises(ComponentError, match=message) as caught:
            workers.run('Trainer', (job, ()))  # type: ignore[arg-type]
        assert 'concurrent_nodes=1' in caught.value.hint
        assert workers.count == 1
        assert workers.run('Evaluator', (report_and_square, (2,))) == 4


def test_another_process_is_used_when_one_was_killed_while_it_was_idle() -> None:
    with NodeWorkers(2) as workers:
        for left in (1, 0):
            pid = workers.run('ExampleGen', (os.getpid, ()))
            os.kill(pid, signal.SIGKILL)
            while workers.count > left:
                time.sleep(0.01)
        with pytest.raises(ComponentError, match='^Trainer: all processes for nodes were ended$'):
            workers.run('Trainer', (os.getpid, ()))


def test_processes_of_a_job_end_when_it_is_stopped(tmp_path: pathlib.Path) -> None:
    with NodeWorkers(2) as workers, concurrent.futures.ThreadPoolExecutor() as threads:
        job = threads.submit(workers.run, 'Trainer', (start_process_and_wait, (tmp_path,)))
        while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
            time.sleep(0.01)
        workers.stop(['Trainer', 'Pusher'])
        with pytest.raises(StoppedError, match='Trainer'):
            job.result()
        with pytest.raises(StoppedError, match='Pusher'):  # it had not started
            workers.run('Pusher', (report_and_square, (2,)))
        assert workers.run('Transform', (report_and_square, (2,))) == 4
    status = pathlib.Path('/proc', (tmp_path / 'pid').read_text(), 'status')
    deadline = time.monotonic() + 10
    # Without its parent, it stays a zombie if no process adopts and awaits it.
    while status.exists() and 'State:\tZ' not in status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize('unread', [False, True])
def test_processes_end_when_the_process_of_the_run_is_killed(unread: bool) -> None:
    program = (
        'import os, time\n'
        'from pipeline.local.workers import NodeWorkers\n'
        'workers = NodeWorkers(2)\n'
        'print(*(workers.run(name, (os.getpid, ())) for name in "ab"), flush=True)\n'
    )
    if unread:  # the connection of the first worker is reset, and not closed
        program += 'workers._workers[0].connection.send(("c", (os.getpid, ())))\n'
        program += 'time.sleep(300)\n'
    else:
        program += 'workers.run("c", (time.sleep, (300,)))\n'
    with subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = {int(pid) for pid in process.stdout.readline().split()}
        time.sleep(0.5)
        process.kill()
        # Each worker holds the other end of the pipe.
        assert process.stdout.read() == b''
    assert pids
