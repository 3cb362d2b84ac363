"""Finding an engine: what is said where there is none, and what is left behind."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil
import signal
from typing import Any

import pytest

from pipeline.process.signals import Terminated
from tests.containers import base_image, engine
from tests.containers.base_image import provide_base_image
from tests.containers.engine import BASE_IMAGE, Engine, EngineError, prepared_engine

_FOLDER = f'test-containers-{os.getuid()}'


def play(name: str, does: str, tmp_path: pathlib.Path) -> Engine:
    """Make an engine that is a shell's script; its calls are left in `calls`."""
    program = tmp_path / 'bin' / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n{does}\n')
    program.chmod(0o755)
    folder = tmp_path / _FOLDER
    folder.mkdir(exist_ok=True)
    return Engine(name, folder, {'PATH': f'{program.parent}:/usr/bin:/bin'})


def calls(tmp_path: pathlib.Path) -> list[str]:
    return (tmp_path / 'calls').read_text().splitlines()


@pytest.fixture
def docker(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine that this machine seems to have; it has no image, and no container."""
    played = play('docker', 'test "$1 $2" != "image inspect"', tmp_path)
    shutil.rmtree(played.folder)
    monkeypatch.setenv('PATH', played.env['PATH'])
    monkeypatch.setattr(engine, '_PLACE', tmp_path)
    return played


def test_says_what_to_install_when_there_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(shutil, 'which', lambda _: None)
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(EngineError, match='install Docker, or podman, on Debian') as caught:
        engine._find_engine(tmp_path)
    assert caught.value.exit_code == 6


def test_says_what_to_do_when_no_base_image_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(shutil, 'which', lambda name: None if name == 'runc' else name)
    with pytest.raises(EngineError, match='go online, or .* as root, with: apt-get .* runc$'):
        base_image._require_tools()


def test_installs_nothing_when_only_the_rights_to_make_a_base_image_lack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(shutil, 'which', lambda name: name)
    with pytest.raises(EngineError, match='go online, or have it made here, as root$'):
        base_image._require_tools()


def test_installs_nothing_when_docker_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    docker = tmp_path / 'docker'
    docker.write_text('#!/bin/sh\ntest "$1" = info\n')
    docker.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(
        engine, 'install_packages', lambda *_, **__: pytest.fail('installed podman')
    )
    assert engine._find_engine(tmp_path).name == 'docker'


def test_touches_nobody_elses_containers_when_it_made_no_storage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / 'ours'
    folder.mkdir()
    monkeypatch.setattr(Engine, 'run', lambda *_, **__: pytest.fail('asked podman'))
    Engine('podman', folder, {}).remove_all('image', 'label')
    assert not folder.exists()


def test_names_are_the_users_own_because_users_share_an_engine() -> None:
    assert engine.IMAGE.endswith(f'-{os.getuid()}')
    assert engine.LABEL.endswith(f'-{os.getuid()}')


def test_all_containers_go_when_the_storage_is_our_own(tmp_path: pathlib.Path) -> None:
    podman = play('podman', '', tmp_path)
    (podman.folder / 'storage.conf').touch()
    podman.remove_all('image', 'label')
    assert calls(tmp_path) == ['rm --all --force --time 0']


def test_containers_go_that_have_the_label_or_the_image_when_the_engine_is_shared(
    tmp_path: pathlib.Path,
) -> None:
    script = 'case "$*" in *label=ours) echo 1; echo 2;; *ancestor=image:x) echo 3;; esac'
    play('docker', script, tmp_path).remove_all('image:x', 'ours')
    assert [call for call in calls(tmp_path) if call.startswith('rm')] == [
        'rm --force 1 2',
        'rm --force 3',
        'rmi --force image:x',
    ]


def _is_removed(image: str, tmp_path: pathlib.Path) -> bool:
    return f'rmi {image}' in calls(tmp_path)


@pytest.mark.parametrize('was_there', [True, False])
def test_base_image_goes_again_when_it_was_not_there_before(
    tmp_path: pathlib.Path, *, was_there: bool
) -> None:
    docker = play('docker', '' if was_there else 'test "$1 $2" != "image inspect"', tmp_path)
    provide_base_image(docker)
    assert (f'pull {BASE_IMAGE}' in calls(tmp_path)) == (not was_there)
    # By another run, should this one have been killed.
    Engine('docker', docker.folder, docker.env).remove_all('image', 'label')
    assert _is_removed(BASE_IMAGE, tmp_path) == (not was_there)


def test_stages_of_the_build_go_and_those_that_were_there_stay(tmp_path: pathlib.Path) -> None:
    docker = play('docker', f'test "$1" != images || cat {tmp_path}/stages', tmp_path)
    (tmp_path / 'stages').write_text('theirs\n')
    docker.note_stages()
    (tmp_path / 'stages').write_text('theirs\nours\n')
    docker.remove_all('image', 'label')
    assert _is_removed('ours', tmp_path)
    assert not _is_removed('theirs', tmp_path)
    (listed, _) = (call for call in calls(tmp_path) if call.startswith('images'))
    assert '--filter=dangling=true' in listed
    key, _, value = listed.partition('--filter=label=')[2].partition('=')
    dockerfile = pathlib.Path(engine.__file__).parents[2] / 'Dockerfile'
    assert f'\nLABEL {key}={value}\n' in dockerfile.read_text()


@pytest.mark.parametrize(('name', 'fails'), [('docker', 'ps'), ('docker', 'rmi'), ('podman', 'rm')])
def test_all_else_is_removed_when_something_cannot_be(
    name: str, fails: str, tmp_path: pathlib.Path
) -> None:
    played = play(name, f'test "$1" != {fails} || {{ echo no luck >&2; exit 1; }}', tmp_path)
    (played.folder / 'storage.conf').touch()
    with pytest.raises(EngineError, match=f'not all .* is gone: {name} {fails} .*: no luck'):
        played.remove_all('image', 'label')
    assert not played.folder.exists()
    if name == 'docker':
        assert 'rmi --force image' in calls(tmp_path)


def test_what_a_build_ran_is_killed_when_its_root_is_in_the_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pathlib.Path('/var/tmp/ours')
    overlay = '1 2 0:39 / {point} rw - overlay overlay rw,lowerdir={store}/l/A,upperdir={store}/b'
    mounts = {
        '11': overlay.format(point='/', store=f'{folder}/store'),
        # Not in it, but on the machine that has it mounted.
        '12': overlay.format(point=f'{folder}/store/merged', store=f'{folder}/store'),
        '13': overlay.format(point='/', store=f'{folder}-of-another/store'),
    }
    for number, line in mounts.items():
        (tmp_path / number).mkdir()
        (tmp_path / number / 'mountinfo').write_text(f'1 1 8:1 / /proc rw - proc proc rw\n{line}\n')
    killed = []
    monkeypatch.setattr(os, 'kill', lambda *arguments: killed.append(arguments))
    engine._kill_below(folder, tmp_path)
    assert killed == [(11, signal.SIGKILL)]


def test_nothing_is_left_but_an_empty_lock_file_when_it_ends(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with prepared_engine('image', 'label') as found:
        assert (found.name, found.folder) == ('docker', tmp_path / _FOLDER)
        assert found.folder.is_dir()
    lock = tmp_path / f'{_FOLDER}.lock'
    assert {*tmp_path.iterdir()} == {tmp_path / 'bin', tmp_path / 'calls', lock}
    assert lock.read_bytes() == b''


def test_one_does_not_wait_for_another_but_says_so(docker: Engine) -> None:
    with (
        prepared_engine('image', 'label'),
        pytest.raises(EngineError, match='another test-containers uses .*: let it end'),
        prepared_engine('image', 'label'),
    ):
        pass


def test_lock_is_held_by_one_when_another_opened_its_file_before(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with prepared_engine('image', 'label'):
        early = (tmp_path / f'{_FOLDER}.lock').open()
    with early:
        fcntl.flock(early, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(EngineError, match='another'), prepared_engine('image', 'label'):
            pass


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('signals_arrive')
def test_nothing_is_left_when_it_is_asked_to_end(number: signal.Signals, docker: Engine) -> None:
    with pytest.raises(Terminated, match=number.name), prepared_engine('image', 'label') as found:
        os.kill(os.getpid(), number)
    assert not found.folder.exists()


@pytest.mark.usefixtures('signals_arrive')
def test_nothing_is_left_when_it_is_asked_to_end_while_it_removes(
    docker: Engine, tmp_path: pathlib.Path
) -> None:
    with (
        pytest.raises(Terminated, match='SIGTERM'),
        prepared_engine('image', 'label') as found,
    ):
        play('docker', f'test "$1" != ps || kill {os.getpid()}', tmp_path)
    assert not found.folder.exists()


def test_what_is_noted_is_read_again_when_the_file_is_damaged(tmp_path: pathlib.Path) -> None:
    docker = play('docker', '', tmp_path)
    docker.note_base_is_ours()
    noted: dict[str, Any] = json.loads((docker.folder / 'made.json').read_text())
    assert noted == {'base': True}
    (docker.folder / 'made.json').write_text('{"ba')
    docker.remove_all('image', 'label')
    assert not docker.folder.exists()
