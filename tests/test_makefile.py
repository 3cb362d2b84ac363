"""The targets of make: messages if something is missing, and their use in CI."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from tests.conftest import REPO, find_imdb_archive

MAKE = shutil.which('make') or ''

pytestmark = pytest.mark.skipif(not MAKE, reason='tests of the Makefile need make; install it')


def make(*arguments: str, path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run make with the programs of one folder only."""
    return subprocess.run(
        [MAKE, '--no-print-directory', *arguments],
        cwd=REPO,
        env={'PATH': str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def write_program(path: pathlib.Path, script: str) -> None:
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)


@pytest.mark.parametrize(
    ('target', 'packages'),
    [
        ('chromium', 'chromium'),
        ('mariadb', 'mariadb-server-core mariadb-client-core'),
        ('maven', 'default-jre-headless maven'),
    ],
)
@pytest.mark.parametrize('has_apt', [True, False])
def test_error_names_the_packages_when_make_cannot_install_them(
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
    """Run the command of `make proof` without running the tests."""
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


def test_archive_path_is_absolute_when_the_variable_has_a_relative_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'reviews.tar.gz').touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IMDB_ARCHIVE', 'reviews.tar.gz')
    assert find_imdb_archive() == tmp_path / 'reviews.tar.gz'


def targets(file: str, command: str) -> list[str]:
    return re.findall(command, (REPO / file).read_text(encoding='utf-8'), re.MULTILINE)


def test_local_and_hosted_ci_run_the_same_targets() -> None:
    local = targets('.ci/run', r'^make ([a-z-]+)(?: .*)?$')
    hosted = targets('.github/workflows/ci.yml', r'run: (?:sudo .*)?make ([a-z-]+)(?: .*)?$')
    assert local == [target for target in hosted if target != 'setup']
    assert 'test' in local


def test_help_describes_each_target() -> None:
    makefile = (REPO / 'Makefile').read_text(encoding='utf-8')
    declared = set(re.findall(r'^([a-z-]+):', makefile, re.MULTILINE))
    help_text = make('help', path=pathlib.Path('/usr/bin')).stdout
    described = set(re.findall(r'^  ([a-z-]+) +\S', help_text, re.MULTILINE))
    # Other targets use these two.
    assert described == declared - {'dev', 'peers'}
    assert max(map(len, help_text.splitlines())) <= 100
