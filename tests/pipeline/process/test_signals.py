from __future__ import annotations

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
# A library may catch what the handler raises.
_SWALLOWS = """
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
_HIDES = r"print('\x1b[?25l', end='', file=sys.stderr, flush=True)"
# One call of C code, some minutes long, in which no Python handler can run.
_IN_C = """
import hashlib
with signals.resuming('run it again'), signals.last_words(
    lambda err: print(f'last words: {err}', flush=True)
):
    hashlib.pbkdf2_hmac('sha256', b'', b'', 1_000_000_000)
"""


def program(body: str) -> str:
    """Return a command of which `body` is the work."""
    return f'{_BEGIN}{textwrap.indent(body, "    ")}\nos._exit(signals.obeyed(command))\n'


class Ended:
    """How a program ended that was sent signals."""

    def __init__(
        self,
        body: str,
        numbers: Sequence[int],
        *,
        pause: float = 0.05,
        through: Sequence[str] = (),
    ) -> None:
        process = subprocess.Popen(
            [*through, sys.executable, '-c', program(body)],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == 'ready\n'
            time.sleep(0.2)
            began = time.monotonic()
            for number in numbers:
                process.send_signal(number)
                time.sleep(pause)
            self.out, self.err = process.communicate(timeout=30)
        finally:
            process.kill()
        self.seconds = time.monotonic() - began
        self.code = process.returncode


@pytest.mark.parametrize(
    ('number', 'code', 'told'),
    [
        (signal.SIGINT, 130, 'interrupted; the same command begins anew\n'),
        (signal.SIGTERM, 143, 'terminated; the same command begins anew\n'),
    ],
)
def test_program_unwinds_when_a_signal_comes(number: int, code: int, told: str) -> None:
    ended = Ended(_UNWINDS, [number])
    assert (ended.code, ended.out, ended.err) == (code, 'cleaned\n', told)


def test_unwinding_goes_on_when_one_signal_comes_by_two_ways() -> None:
    ended = Ended(_UNWINDS, [signal.SIGTERM, signal.SIGTERM])
    assert (ended.code, ended.out) == (143, 'cleaned\n')


def test_it_ends_at_once_when_a_second_signal_comes() -> None:
    ended = Ended(_UNWINDS, [signal.SIGINT, signal.SIGINT], pause=0.5)
    assert (ended.code, ended.out) == (130, '')
    assert ended.err == 'interrupted; the same command begins anew\n'


def test_it_ends_within_five_seconds_when_a_library_swallows_the_interrupt() -> None:
    ended = Ended(_SWALLOWS, [signal.SIGTERM])
    assert ended.code == 143
    assert ended.seconds < 5


def test_it_ends_within_five_seconds_with_last_words_when_it_is_in_c_code() -> None:
    ended = Ended(_IN_C, [signal.SIGINT])
    assert ended.code == 130
    assert ended.seconds < 5
    assert ended.out == 'last words: stopped by SIGINT\n'
    assert ended.err == 'interrupted; run it again\n'


def test_it_ends_when_last_words_never_end() -> None:
    words = 'with signals.last_words(lambda err: time.sleep(60)):'
    ended = Ended(words + textwrap.indent(_SWALLOWS, '  '), [signal.SIGTERM])
    assert ended.code == 143
    assert ended.seconds < 5


def test_interrupt_stays_ignored_when_it_was_ignored_at_the_start() -> None:
    ended = Ended(
        _UNWINDS,
        [signal.SIGINT, signal.SIGTERM],
        pause=0.5,
        through=('/bin/sh', '-c', 'trap "" INT; exec "$@"', 'sh'),  # as nohup does
    )
    assert (ended.code, ended.out) == (143, 'cleaned\n')


def test_cursor_is_shown_again_when_the_process_is_ended(tmp_path: pathlib.Path) -> None:
    screen, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, '-c', program(_HIDES + _SWALLOWS)],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=terminal,
        )
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(2):
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        process.stdout.close()
        shown = b''
        # One read gives what is there, which need not be all.
        while b'interrupted; ' not in shown:
            shown += os.read(screen, 1000)
    finally:
        os.close(screen)
        os.close(terminal)
    assert shown.index(b'\x1b[?25l') < shown.index(b'\x1b[?25h') < shown.index(b'interrupted; ')
