"""The commands in a new Debian, with a script in place of the engine."""

from __future__ import annotations

import pathlib
import subprocess
import tarfile

import pytest

from tests.containers.debian import pack_checkout, run_on_debian
from tests.containers.engine import LABEL, Engine, EngineError


@pytest.fixture
def repo(tmp_path: pathlib.Path) -> pathlib.Path:
    """A checkout with files of each kind."""
    folder = tmp_path / 'repo'
    (folder / 'tests').mkdir(parents=True)
    (folder / '.gitignore').write_text('/runs/\n')
    for name in ('changed', 'removed', 'tests/a name with ä'):
        (folder / name).write_text('as committed')
    git = ('git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', '-C', str(folder))
    for command in (['init', '--quiet'], ['add', '.'], ['commit', '--quiet', '--message', 'a']):
        subprocess.run([*git, *command], check=True)
    (folder / 'changed').write_text('as changed')
    (folder / 'removed').unlink()
    (folder / 'new').write_text('')
    (folder / 'new').chmod(0o755)
    (folder / 'runs').mkdir()
    (folder / 'runs' / 'log').write_text('')
    return folder


def engine_that(does: str, folder: pathlib.Path) -> Engine:
    """Make an engine from a shell script, which records its arguments."""
    program = folder / 'played'
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{folder}/arguments\n{does}\n')
    program.chmod(0o755)
    return Engine('played', folder, {'PATH': f'{folder}:/usr/bin:/bin'})


def test_files_of_the_checkout_are_packed_when_some_are_not_committed(
    repo: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    pack_checkout(repo, tmp_path / 'packed.tar')
    with tarfile.open(tmp_path / 'packed.tar') as tar:
        assert set(tar.getnames()) == {'.gitignore', 'changed', 'new', 'tests/a name with ä'}
        changed = tar.extractfile('changed')
        assert changed is not None
        assert changed.read() == b'as changed'
        assert tar.getmember('new').mode & 0o111


def test_error_names_the_reason_when_the_folder_is_no_repository(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EngineError, match='git cannot list the files of .*: fatal: not a git rep'):
        pack_checkout(tmp_path, tmp_path / 'packed.tar')


def test_error_names_the_command_and_its_exit_code_when_it_fails(tmp_path: pathlib.Path) -> None:
    engine = engine_that('exit 3', tmp_path)
    with pytest.raises(EngineError, match=r"TFX 1\.21.*, Debian 13: 'make run' ended with 3 \(see"):
        run_on_debian(engine, 'make run', checkout=tmp_path, archive=None)


@pytest.mark.parametrize('archive', [None, pathlib.Path('/data/reviews.tar.gz')])
def test_container_has_its_files_settings_and_label(
    archive: pathlib.Path | None, tmp_path: pathlib.Path
) -> None:
    checkout = tmp_path / 'packed.tar'
    run_on_debian(engine_that('exit 0', tmp_path), 'a && b', checkout=checkout, archive=archive)
    arguments = (tmp_path / 'arguments').read_text().splitlines()
    assert arguments[:3] == ['run', '--rm', f'--label={LABEL}']
    assert f'--volume={checkout}:/checkout.tar:ro' in arguments
    assert '--env=COMMAND=a && b' in arguments
    assert '--env=STACK=1.21' in arguments
    imdb = {argument for argument in arguments if 'aclImdb' in argument}
    assert len(imdb) == (2 if archive else 0)
    assert (f'--volume={archive}:/imdb/aclImdb_v1.tar.gz:ro' in imdb) == bool(archive)
