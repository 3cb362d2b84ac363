from __future__ import annotations

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence

import pytest

from tests.conftest import REPO

_BEGIN = """
import os, sys, time
from pipeline.process import signals

def command():
    print('ready', flush=True)
    work()
    return 0

def work():
"""
_UNWINDS = """
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    print('cleaned', flush=True)
    raise
"""
# A library may catch the exception that the handler raises.
_SWALLOWS = """
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
# Longer than a command may otherwise take, which is less than usual here.
_ENDS_JOB = """
from components.beam_jobs import running_job
signals._UNWINDING_SECONDS = signals._CALLBACK_SECONDS = 0.5
running_job.job_started('reviews-1', 'cancel it in Flink')
try:
    time.sleep(60)
except KeyboardInterrupt:
    with running_job.ending_job():
        time.sleep(2)
    print('ended', flush=True)
    raise
"""
_HIDES = r"print('\x1b[?25l', end='', file=sys.stderr, flush=True)"
# One call of C code that takes minutes, in which no Python handler can run.
_IN_C = """
import hashlib
with signals.hint_on_interrupt('run it again'), signals.on_forced_exit(
    lambda err: print(f'forced: {err}', flush=True)
):
    hashlib.pbkdf2_hmac('sha256', b'', b'', 1_000_000_000)
"""
_CALLBACK_HANGS = f"""
with signals.on_forced_exit(lambda err: time.sleep(60)):
{textwrap.indent(_SWALLOWS, '  ')}
"""


def _program(body: str) -> str:
    return f'{_BEGIN}{textwrap.indent(body, "    ")}\nos._exit(signals.exit_on_signal(command))\n'


class _Ended:
    """The end of a program that received signals."""

    def __init__(
        self,
        body: str,
        *numbers: int,
        pause: float = 0.0,
        through: Sequence[str] = (),
    ) -> None:
        process = subprocess.Popen(
            [*through, sys.executable, '-c', _program(body)],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == 'ready\n'
            time.sleep(0.2)
            started = time.monotonic()
            for number in numbers:
                process.send_signal(number)
                time.sleep(pause)
            self.out, self.err = process.communicate(timeout=300)
        finally:
            process.kill()
        self.seconds = time.monotonic() - started
        self.code = process.returncode


@pytest.mark.parametrize(
    ('numbers', 'pause', 'out', 'message'),
    [
        ([signal.SIGINT], 0, 'cleaned\n', 'interrupted'),
        ([signal.SIGTERM], 0, 'cleaned\n', 'terminated'),
        # One signal that arrives in two ways.
        ([signal.SIGTERM, signal.SIGTERM], 0.05, 'cleaned\n', 'terminated'),
        # A second Ctrl-C ends the program at once.
        ([signal.SIGINT, signal.SIGINT], 0.5, '', 'interrupted'),
    ],
)
def test_program_unwinds_when_it_receives_a_signal(
    numbers: list[int], pause: float, out: str, message: str
) -> None:
    ended = _Ended(_UNWINDS, *numbers, pause=pause)
    assert (ended.code, ended.out) == (128 + numbers[0], out)
    assert ended.err == f'{message}; to start over, run the same command again\n'


_OVER = 'terminated; to start over, run the same command again\n'
# Body, signal, and what is printed to the standard streams.
_CANNOT_UNWIND = (
    (_SWALLOWS, signal.SIGTERM, '', _OVER),
    (_IN_C, signal.SIGINT, 'forced: stopped by SIGINT\n', 'interrupted; run it again\n'),
    (_CALLBACK_HANGS, signal.SIGTERM, '', _OVER),
)


def test_program_ends_within_five_seconds_when_it_cannot_unwind() -> None:
    # Most of the time they wait, so they run at the same time.
    with concurrent.futures.ThreadPoolExecutor(len(_CANNOT_UNWIND)) as pool:
        programs = list(pool.map(lambda case: _Ended(*case[:2]), _CANNOT_UNWIND))
    for ended, (_, number, out, err) in zip(programs, _CANNOT_UNWIND):
        assert (ended.code, ended.out, ended.err) == (128 + number, out, err)
        assert ended.seconds < 5


def test_program_ends_its_job_when_that_takes_longer_than_unwinding() -> None:
    ended = _Ended(_ENDS_JOB, signal.SIGTERM)
    assert (ended.code, ended.out) == (143, 'ended\n')


def test_message_names_the_job_when_a_second_interrupt_ends_the_program_before_it() -> None:
    ended = _Ended(_ENDS_JOB, signal.SIGINT, signal.SIGINT, pause=0.5)
    assert (ended.code, ended.out) == (130, '')
    assert ended.err == (
        'interrupted; the Beam job reviews-1 may still be running: cancel it in Flink; '
        'to start over, run the same command again\n'
    )


def test_interrupt_stays_ignored_when_it_was_ignored_at_the_start() -> None:
    ended = _Ended(
        _UNWINDS,
        signal.SIGINT,
        signal.SIGTERM,
        pause=0.5,
        through=('/bin/sh', '-c', 'trap "" INT; exec "$@"', 'sh'),  # as nohup does
    )
    assert (ended.code, ended.out) == (143, 'cleaned\n')


def test_cursor_is_shown_again_when_the_process_is_forced_to_end(tmp_path: pathlib.Path) -> None:
    screen, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, '-c', _program(_HIDES + _SWALLOWS)],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=terminal,
        )
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(2):
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130
        process.stdout.close()
        shown = b''
        # One read may return a part only.
        while b'interrupted; ' not in shown:
            shown += os.read(screen, 1000)
    finally:
        os.close(screen)
        os.close(terminal)
    assert shown.index(b'\x1b[?25l') < shown.index(b'\x1b[?25h') < shown.index(b'interrupted; ')
