"""What the targets of make say where something is missing."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from tests.conftest import REPO, find_imdb_archive

MAKE = shutil.which('make') or ''

pytestmark = pytest.mark.skipif(not MAKE, reason='make is not installed')


def make(*arguments: str, path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run make where there are no programs but those of a folder."""
    return subprocess.run(
        [MAKE, '--no-print-directory', *arguments],
        cwd=REPO,
        env={'PATH': str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def write_program(path: pathlib.Path, does: str) -> None:
    path.write_text(f'#!/bin/sh\n{does}\n')
    path.chmod(0o755)


@pytest.mark.parametrize(
    ('target', 'packages'),
    [('chromium', 'chromium'), ('mariadb', 'mariadb-server-core mariadb-client-core')],
)
@pytest.mark.parametrize('has_apt', [True, False])
def test_one_line_says_what_to_install_when_make_cannot(
    target: str, packages: str, tmp_path: pathlib.Path, *, has_apt: bool
) -> None:
    if has_apt:
        write_program(tmp_path / 'apt-get', 'echo installs')
        write_program(tmp_path / 'id', 'echo 1000')
    done = make(target, path=tmp_path)
    assert done.returncode == 2
    first, *makes_own = done.stderr.splitlines()
    assert first.endswith(f'; on Debian, as root: apt-get install {packages}.')
    assert done.stdout == ''
    assert len(makes_own) == 1
    assert makes_own[0].endswith('Error 6')


def test_packages_are_installed_when_a_command_is_missing(tmp_path: pathlib.Path) -> None:
    write_program(tmp_path / 'apt-get', 'echo apt-get "$@"')
    write_program(tmp_path / 'id', 'echo 0')
    write_program(tmp_path / 'mariadb', '')
    done = make('mariadb', path=tmp_path)
    assert done.returncode == 0, done.stderr
    update, install = done.stdout.splitlines()
    assert update == 'apt-get update -qq'
    assert install.endswith('mariadb-server-core mariadb-client-core')
    write_program(tmp_path / 'mariadb-install-db', '')
    assert make('mariadb', path=tmp_path).stdout == ''


def proof(archive: str) -> subprocess.CompletedProcess[str]:
    """Run the command of `make proof`, but for the tests themselves."""
    shown = make('--dry-run', 'proof', path=pathlib.Path('/usr/bin'))
    (command,) = (line for line in shown.stdout.splitlines() if '-m pytest' in line)
    return subprocess.run(
        f'{command} --collect-only --quiet tests/test_imdb.py',
        shell=True,
        cwd=REPO,
        env={**os.environ, 'IMDB_ARCHIVE': archive},
        capture_output=True,
        text=True,
        check=False,
    )


def test_proof_fails_in_one_line_when_the_archive_is_absent(tmp_path: pathlib.Path) -> None:
    done = proof(str(tmp_path / 'none.tar.gz'))
    assert done.returncode == 4
    assert done.stdout == ''
    assert done.stderr.strip().startswith('ERROR: needs the IMDB archive: set IMDB_ARCHIVE, or')
    assert done.stderr.strip().count('\n') == 0
    (tmp_path / 'there.tar.gz').touch()
    assert proof(str(tmp_path / 'there.tar.gz')).returncode == 0


def test_archive_is_named_from_the_root_when_the_environment_names_it_from_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'reviews.tar.gz').touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IMDB_ARCHIVE', 'reviews.tar.gz')
    assert find_imdb_archive() == tmp_path / 'reviews.tar.gz'
