"""Run commands in a new Debian 13 that has nothing but the files of this checkout."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tarfile

from requirements.stacks import NEW
from tests.containers import process_groups
from tests.containers.engine import BASE_IMAGE, LABEL, Engine, EngineError, say

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


def pack_checkout(repo: pathlib.Path, packed: pathlib.Path) -> None:
    """Pack the files of a checkout, committed or not, except those that git ignores.

    Raises:
        EngineError: If the folder is no repository.
    """
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=repo,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise EngineError(f'git cannot list the files of {repo}: {listed.stderr.strip()}')
    with tarfile.open(packed, 'w') as tar:
        for name in listed.stdout.rstrip('\0').split('\0'):
            # Git lists a removed file until the removal is committed.
            if os.path.lexists(repo / name):
                tar.add(repo / name, name, recursive=False)


def run_on_debian(
    engine: Engine,
    command: str,
    *,
    checkout: pathlib.Path,
    archive: pathlib.Path | None,
) -> None:
    """Run a shell command in the checkout on the newer stack, and show its output.

    Args:
        engine: An engine with the base image.
        command: The command, as in a terminal.
        checkout: The packed files.
        archive: The IMDB archive, None if there is none.

    Raises:
        EngineError: If the command fails.
    """
    mounts = {checkout: _CHECKOUT}
    if archive is not None:
        mounts[archive] = _IMDB
    options = [f'--volume={source}:{target}:ro' for source, target in mounts.items()]
    options += ['--env=IMDB_ARCHIVE=' + _IMDB] if archive is not None else []
    # uv trusts the certificates of the system, as pip does. WORKERS is passed on if it is set.
    options += [f'--env=STACK={NEW.name}', '--env=LANG=C.UTF-8', '--env=UV_SYSTEM_CERTS=1']
    options += ['--env=WORKERS', f'--env=COMMAND={command}']
    # Chromium needs shared memory; some tests mount a small disk.
    options += ['--shm-size=1g', '--cap-add=SYS_ADMIN']
    where = f'TFX {NEW.tfx}, Python {NEW.python}, Debian 13'
    say(f'{where}: {command}')
    run = [engine.name, 'run', '--rm', f'--label={LABEL}', *options]
    done = process_groups.run_command([*run, BASE_IMAGE, 'bash', '-euc', _SCRIPT], env=engine.env)
    if done.returncode != 0:
        raise EngineError(f'{where}: {command!r} ended with {done.returncode} (see above)')
    say(f'{where}: passed: {command}')
