"""This checkout on the newer stack in a new Debian 13, set up and run as README says."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tarfile

import pytest

from requirements.stacks import NEW
from tests.conftest import REPO, find_imdb_archive
from tests.containers.engine import BASE_IMAGE, LABEL, Engine, EngineError, say

_ALL = 'make chromium mariadb test run'
# Whole runs, nodes side by side, models that must not be pushed, and the versions that stay live.
_GATE = (
    'make --no-print-directory dev && .venv/bin/python -m pytest --numprocesses ${WORKERS:-2}'
    ' --dist loadscope -m "not slow" tests/pipeline_runner tests/test_lifecycle.py'
    ' tests/pipeline/local'
    ' tests/components/evaluator/test_attacks.py'
)
_CHECKOUT = '/checkout.tar'
_IMDB = '/imdb/aclImdb_v1.tar.gz'
# Installs what README asks for. The folder is a repository, because ruff reads .gitignore in
# repositories only. `exit 0` keeps the shell as process 1, which reaps killed processes' children.
_SCRIPT = f"""
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
  g++ git make >/dev/null
git init --quiet /src/checkout
cd /src/checkout
tar --extract --file {_CHECKOUT}
bash -euc "$COMMAND" || exit
exit 0
"""


@pytest.fixture(scope='module')
def checkout(engine: Engine) -> pathlib.Path:
    """Return the packed files of this checkout."""
    packed = engine.folder / 'checkout.tar'
    pack_checkout(REPO, packed)
    return packed


@pytest.mark.containers
def test_gate_holds_when_the_stack_is_the_newer_one(engine: Engine, checkout: pathlib.Path) -> None:
    run_on_debian(engine, _GATE, checkout)


@pytest.mark.current
def test_all_tests_and_a_run_pass_when_the_stack_is_the_newer_one(
    engine: Engine, checkout: pathlib.Path
) -> None:
    run_on_debian(engine, os.environ.get('COMMAND') or _ALL, checkout, find_imdb_archive())


def test_files_of_the_checkout_are_packed_when_some_are_not_committed(
    tmp_path: pathlib.Path,
) -> None:
    repo, packed = tmp_path / 'repo', tmp_path / 'packed.tar'
    (repo / 'tests').mkdir(parents=True)
    (repo / '.gitignore').write_text('/runs/\n')
    for name in ('changed', 'removed', 'tests/a name with ä'):
        (repo / name).write_text('as committed')
    for command in (['init', '--quiet'], ['add', '.']):
        subprocess.run(['git', '-C', str(repo), *command], check=True)
    (repo / 'changed').write_text('as changed')
    (repo / 'removed').unlink()
    (repo / 'new').touch(mode=0o755)
    (repo / 'runs').mkdir()
    (repo / 'runs' / 'log').touch()
    pack_checkout(repo, packed)
    with tarfile.open(packed) as tar:
        assert set(tar.getnames()) == {'.gitignore', 'changed', 'new', 'tests/a name with ä'}
        changed = tar.extractfile('changed')
        assert changed is not None
        assert changed.read() == b'as changed'
        assert tar.getmember('new').mode & 0o111


def pack_checkout(repo: pathlib.Path, packed: pathlib.Path) -> None:
    """Pack the files of a checkout, committed or not, except those that git ignores."""
    command = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    listed = subprocess.run(command, cwd=repo, stdout=subprocess.PIPE, text=True, check=True)
    with tarfile.open(packed, 'w') as tar:
        for name in listed.stdout.rstrip('\0').split('\0'):
            # Git lists a removed file until the removal is committed.
            if os.path.lexists(repo / name):
                tar.add(repo / name, name, recursive=False)


def run_on_debian(
    engine: Engine, command: str, checkout: pathlib.Path, archive: pathlib.Path | None = None
) -> None:
    """Run a shell command in the checkout on the newer stack; fail the test if it fails.

    Args:
        engine: An engine with the base image.
        command: The command, as in a terminal.
        checkout: The packed files.
        archive: The IMDB archive, None if there is none.
    """
    options = [f'--label={LABEL}', f'--volume={checkout}:{_CHECKOUT}:ro']
    if archive is not None:
        options += [f'--volume={archive}:{_IMDB}:ro', f'--env=IMDB_ARCHIVE={_IMDB}']
    # uv trusts the certificates of the system, as pip does. WORKERS is passed on if it is set.
    options += [f'--env=STACK={NEW.name}', '--env=LANG=C.UTF-8', '--env=UV_SYSTEM_CERTS=1']
    options += ['--env=WORKERS', f'--env=COMMAND={command}']
    # Chromium needs shared memory; some tests mount a small disk.
    options += ['--shm-size=1g', '--cap-add=SYS_ADMIN']
    say(f'TFX {NEW.tfx}, Python {NEW.python}, Debian 13: {command}')
    run = [engine.name, 'run', '--rm', *options, BASE_IMAGE, 'bash', '-euc', _SCRIPT]
    try:
        engine.run_visibly(*run)
    except EngineError:
        # The output says why.
        pytest.fail(f'{command} failed on Debian 13 (see above)', pytrace=False)
    say(f'passed: {command}')
