"""Tests of the container engine: how it is found, and that it removes its containers."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal

import pytest

from tests.containers import base_image, engine
from tests.containers.engine import BASE_IMAGE, IMAGE, LABEL, Engine, EngineError, prepare_engine

_FOLDER = f'test-containers-{os.getuid()}'
_HAS_NO_IMAGE = 'test "$1 $2" != "image inspect"'


def fake_engine(name: str, script: str, tmp_path: pathlib.Path) -> Engine:
    """Return an engine that is a shell script, which records its arguments in `calls`."""
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
    fake = fake_engine('docker', '', tmp_path)
    shutil.rmtree(fake.folder)
    monkeypatch.setenv('PATH', fake.env['PATH'])
    monkeypatch.setattr(engine, '_PARENT_FOLDER', tmp_path)
    return fake


def test_base_image_is_pulled_and_never_made_when_docker_has_none(tmp_path: pathlib.Path) -> None:
    base_image.provide_base_image(fake_engine('docker', _HAS_NO_IMAGE, tmp_path))
    assert f'pull {BASE_IMAGE}' in calls(tmp_path)
    with pytest.raises(EngineError, match='cannot be pulled: go online'):
        base_image.provide_base_image(fake_engine('docker', 'exit 1', tmp_path))


@pytest.mark.parametrize('has_storage', [True, False])
def test_podman_removes_containers_only_when_it_has_a_storage_of_ours(
    has_storage: bool, tmp_path: pathlib.Path
) -> None:
    podman = fake_engine('podman', '', tmp_path)
    (tmp_path / 'calls').touch()
    if has_storage:
        (podman.folder / 'storage.conf').touch()
    podman.remove_all()
    assert calls(tmp_path) == (['rm --all --force --time 0'] if has_storage else [])
    assert not podman.folder.exists()


def test_containers_with_our_label_or_image_are_removed_when_the_engine_is_docker(
    tmp_path: pathlib.Path,
) -> None:
    script = f'case "$*" in *label={LABEL}) echo 1; echo 2;; *ancestor={IMAGE}) echo 3;; esac'
    fake_engine('docker', script, tmp_path).remove_all()
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
    fake = fake_engine(name, f'test "$1" != {fails} || {{ echo no luck >&2; exit 1; }}', tmp_path)
    (fake.folder / 'storage.conf').touch()
    with pytest.raises(EngineError, match=f'{name} {fails} .*: no luck'):
        fake.remove_all()
    assert not fake.folder.exists()
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


def test_folder_is_locked_and_only_the_lock_file_is_left_at_the_end(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with prepare_engine() as found:
        assert (found.name, found.folder) == ('docker', docker.folder)
        assert found.folder.is_dir()
        with pytest.raises(EngineError, match='other tests .* let them end'), prepare_engine():
            pass
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {'bin', 'calls', f'{_FOLDER}.lock'}
