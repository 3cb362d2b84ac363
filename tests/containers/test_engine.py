"""Tests of the container engine: how it is found, and that it removes its containers."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import signal

import pytest

from pipeline.process.signals import Terminated
from tests.containers import base_image, engine
from tests.containers.engine import BASE_IMAGE, IMAGE, LABEL, Engine, EngineError, prepare_engine

_FOLDER = f'test-containers-{os.getuid()}'
_HAS_NO_IMAGE = 'test "$1 $2" != "image inspect"'


def play(name: str, script: str, tmp_path: pathlib.Path) -> Engine:
    """Make an engine from a shell script, which records its arguments in `calls`."""
    program = tmp_path / 'bin' / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n{script}\n')
    program.chmod(0o755)
    folder = tmp_path / _FOLDER
    folder.mkdir(exist_ok=True)
    return Engine(name, folder, {'PATH': f'{program.parent}:/usr/bin:/bin'})


def calls(tmp_path: pathlib.Path) -> list[str]:
    return (tmp_path / 'calls').read_text().splitlines()


@pytest.fixture
def docker(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Let a script be the Docker of this machine."""
    played = play('docker', '', tmp_path)
    shutil.rmtree(played.folder)
    monkeypatch.setenv('PATH', played.env['PATH'])
    monkeypatch.setattr(engine, '_PARENT_FOLDER', tmp_path)
    return played


def test_error_says_what_to_install_when_there_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(shutil, 'which', lambda _: None)
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(EngineError, match='install Docker, or podman, on Debian'):
        engine._find_engine(tmp_path)


@pytest.mark.parametrize(
    ('missing', 'message'),
    [('runc', 'go online, or .* as root, with: apt-get .* runc$'), ('', 'make it, as root$')],
)
def test_error_says_what_to_do_when_the_base_image_cannot_be_made(
    missing: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(shutil, 'which', lambda name: None if name == missing else name)
    with pytest.raises(EngineError, match=message):
        base_image._require_tools()


def test_base_image_is_pulled_and_never_made_when_docker_has_none(tmp_path: pathlib.Path) -> None:
    base_image.provide_base_image(play('docker', _HAS_NO_IMAGE, tmp_path))
    assert f'pull {BASE_IMAGE}' in calls(tmp_path)
    with pytest.raises(EngineError, match='cannot be pulled: go online'):
        base_image.provide_base_image(play('docker', 'exit 1', tmp_path))


def test_docker_is_used_when_it_runs(docker: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine, 'install_packages', lambda *_, **__: pytest.fail('installed podman')
    )
    assert engine._find_engine(docker.folder).name == 'docker'


def test_containers_of_others_stay_when_podman_has_no_storage_of_ours(
    tmp_path: pathlib.Path,
) -> None:
    podman = play('podman', '', tmp_path)
    podman.remove_all()
    assert not (tmp_path / 'calls').exists()
    assert not podman.folder.exists()


def test_all_containers_are_removed_when_podman_has_a_storage_of_ours(
    tmp_path: pathlib.Path,
) -> None:
    podman = play('podman', '', tmp_path)
    (podman.folder / 'storage.conf').touch()
    podman.remove_all()
    assert calls(tmp_path) == ['rm --all --force --time 0']


def test_containers_with_our_label_or_image_are_removed_when_the_engine_is_docker(
    tmp_path: pathlib.Path,
) -> None:
    script = f'case "$*" in *label={LABEL}) echo 1; echo 2;; *ancestor={IMAGE}) echo 3;; esac'
    play('docker', script, tmp_path).remove_all()
    assert [call for call in calls(tmp_path) if 'rm' in call.split()] == [
        'rm --force 1 2',
        'rm --force 3',
        f'image rm --force {IMAGE}',
    ]
    assert str(os.getuid()) in LABEL
    assert IMAGE.endswith(f'-{os.getuid()}')


@pytest.mark.parametrize(('name', 'fails'), [('docker', 'ps'), ('podman', 'rm')])
def test_everything_else_is_removed_when_one_removal_fails(
    name: str, fails: str, tmp_path: pathlib.Path
) -> None:
    played = play(name, f'test "$1" != {fails} || {{ echo no luck >&2; exit 1; }}', tmp_path)
    (played.folder / 'storage.conf').touch()
    with pytest.raises(EngineError, match=f'left something: {name} {fails} .*: no luck'):
        played.remove_all()
    assert not played.folder.exists()
    assert name == 'podman' or f'image rm --force {IMAGE}' in calls(tmp_path)


def test_processes_of_a_build_are_killed_when_their_root_is_in_the_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pathlib.Path('/var/tmp/ours')
    overlay = '1 2 0:39 / {point} rw - overlay overlay rw,lowerdir={store}/l/A,upperdir={store}/b'
    mounts = {
        '11': overlay.format(point='/', store=f'{folder}/store'),
        # A process outside, on the machine where the folder is mounted.
        '12': overlay.format(point=f'{folder}/store/merged', store=f'{folder}/store'),
        '13': overlay.format(point='/', store=f'{folder}-of-another/store'),
    }
    for number, line in mounts.items():
        (tmp_path / number).mkdir()
        (tmp_path / number / 'mountinfo').write_text(f'1 1 8:1 / /proc rw - proc proc rw\n{line}\n')
    killed = []
    monkeypatch.setattr(os, 'kill', lambda *arguments: killed.append(arguments))
    engine._kill_processes(folder, tmp_path)
    assert killed == [(11, signal.SIGKILL)]


def test_only_a_lock_file_is_left_at_the_end(docker: Engine, tmp_path: pathlib.Path) -> None:
    with prepare_engine() as found:
        assert (found.name, found.folder) == ('docker', tmp_path / _FOLDER)
        assert found.folder.is_dir()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {'bin', 'calls', f'{_FOLDER}.lock'}


def test_error_is_raised_when_other_tests_use_the_folder(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with prepare_engine():
        early = (tmp_path / f'{_FOLDER}.lock').open()
        with pytest.raises(EngineError, match='other tests .* let them end'), prepare_engine():
            pass
    # Also by a process that opened the file while the first one held the lock.
    with early:
        fcntl.flock(early, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(EngineError, match='other tests'), prepare_engine():
            pass


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('default_signals')
def test_nothing_is_left_when_the_tests_are_terminated(
    number: signal.Signals, docker: Engine
) -> None:
    with pytest.raises(Terminated, match=number.name), prepare_engine() as found:
        os.kill(os.getpid(), number)
    assert not found.folder.exists()


@pytest.mark.usefixtures('default_signals')
def test_nothing_is_left_when_the_tests_are_terminated_during_the_removal(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(Terminated, match='SIGTERM'), prepare_engine() as found:
        play('docker', f'test "$1" != ps || kill {os.getpid()}', tmp_path)
    assert not found.folder.exists()
