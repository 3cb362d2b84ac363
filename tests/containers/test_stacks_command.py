"""`make stacks`: what is told before anything is built, and what it leaves when it is stopped."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator

import pytest

from benchmarks.archive import ROOT
from tests.containers import ending, engine, stacks
from tests.containers.engine import Engine

# The place is a test's own; whatever stack this is, it passes for the older one.
_PROGRAM = """
import pathlib, sys
from requirements.stacks import OLD
from tests.containers import engine, stacks
engine._PLACE = pathlib.Path(sys.argv.pop(1))
stacks.own_name = lambda: f'tfx-{OLD.name}'
sys.exit(stacks.main())
"""


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / 'archive.tar.gz'
    with tarfile.open(path, 'w:gz'):
        pass
    return path


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch, archive: pathlib.Path) -> None:
    """Have this pass for the older stack, called with an archive."""
    monkeypatch.setattr(stacks, 'own_name', lambda: 'tfx-1.16')
    monkeypatch.setattr(sys, 'argv', ['stacks', '--data', str(archive)])


def test_stack_is_told_before_anything_is_built_when_it_is_the_images(
    older: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stacks, 'own_name', lambda: 'tfx-1.21')
    monkeypatch.setattr(stacks, 'prepared_engine', lambda *_: pytest.fail('looked for an engine'))
    assert stacks.main() == 6
    err = capsys.readouterr().err
    assert err.endswith('it must have TFX 1.16.0; make stacks STACK=1.16\n')
    assert err.count('\n') == 1


def test_code_is_that_of_make_image_when_there_is_no_engine(
    older: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(engine, '_PLACE', tmp_path)
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert stacks.main() == 6
    assert 'no container engine' in capsys.readouterr().err


@pytest.mark.parametrize('code', [0, 3, 4])
def test_readmes_table_is_made_only_when_the_stacks_agree(
    code: int, older: None, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    @contextlib.contextmanager
    def prepared(*_: str) -> Iterator[Engine]:
        yield Engine('played', tmp_path, {})

    ran = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[3])
        return subprocess.CompletedProcess(command, code, '', '')

    monkeypatch.setattr(stacks, 'prepared_engine', prepared)
    for name in ('provide_base_image', 'exchange'):
        monkeypatch.setattr(stacks, name, lambda *_: None)
    monkeypatch.setattr(Engine, 'run_visibly', lambda *_, **__: None)
    monkeypatch.setattr(ending, 'run', run)
    assert stacks.main() == code
    assert ran == ['stacks', 'table'] if code == 0 else ['stacks']


@pytest.mark.parametrize(
    ('number', 'code', 'said'),
    [
        (signal.SIGTERM, 143, 'terminated'),
        (signal.SIGHUP, 143, 'terminated'),
        (signal.SIGINT, 130, 'interrupted'),
    ],
)
@pytest.mark.usefixtures('signals_arrive')
def test_nothing_is_left_and_the_code_says_why_when_it_is_stopped(
    number: signal.Signals, code: int, said: str, archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    place = tmp_path / 'place'
    place.mkdir()
    docker = tmp_path / 'docker'
    # It pulls for ever, by a child that says who it is.
    pull = f'sh -c "echo \\$\\$ >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; sleep 1000"'
    docker.write_text(
        f'#!/bin/sh\ncase "$1 $2" in "image inspect") exit 1;; pull*) {pull};; esac\n'
    )
    docker.chmod(0o755)
    env = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    command = [sys.executable, '-c', _PROGRAM, str(place), '--data', str(archive)]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / 'pid').exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [path.suffix for path in sorted(place.iterdir())] == ['', '.lock']
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err.splitlines()[-1]) == (code, said)
    assert 'Traceback' not in err
    assert [path.suffix for path in place.iterdir()] == ['.lock']
    status = pathlib.Path('/proc', (tmp_path / 'pid').read_text().strip(), 'stat')
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        assert status.read_text().rpartition(')')[2].split()[0] == 'Z'
