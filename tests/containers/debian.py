"""A new Debian 13 with nothing but this checkout's files, in which its commands are run."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tarfile

from requirements.stacks import NEW
from tests.containers import ending
from tests.containers.engine import BASE_IMAGE, Engine, EngineError, say

_CHECKOUT = '/checkout.tar'
_IMDB = '/imdb/aclImdb_v1.tar.gz'

# What the README asks for. The folder is a repository, because what checks the style goes by
# .gitignore in nothing else. The last line is not the shell's last act: process 1 must stay a
# shell, which reaps the processes whose parents were killed.
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
    """Pack the files of a checkout as they are, committed or not, but none that git ignores.

    Raises:
        EngineError: If git cannot tell them.
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
            # Git lists what was removed until that is committed.
            if os.path.lexists(repo / name):
                tar.add(repo / name, name, recursive=False)


def run_on_debian(
    engine: Engine,
    command: str,
    *,
    checkout: pathlib.Path,
    label: str,
    archive: pathlib.Path | None,
) -> None:
    """Run a shell's command in the checkout, on the newer stack; its output goes where ours goes.

    Args:
        engine: It has the base image.
        command: As one types it in the checkout.
        checkout: The packed files.
        label: Of the container.
        archive: IMDB's, if there is one.

    Raises:
        EngineError: If the command fails.
    """
    mounts = {checkout: _CHECKOUT}
    if archive is not None:
        mounts[archive] = _IMDB
    options = [f'--volume={source}:{target}:ro' for source, target in mounts.items()]
    options += ['--env=IMDB_ARCHIVE=' + _IMDB] if archive is not None else []
    # uv trusts what this machine trusts, as pip does. WORKERS is passed on, if it is set.
    options += [f'--env=STACK={NEW.name}', '--env=LANG=C.UTF-8', '--env=UV_SYSTEM_CERTS=1']
    options += ['--env=WORKERS', f'--env=COMMAND={command}']
    # Chromium wants shared memory; some tests mount a disk that is small.
    options += ['--shm-size=1g', '--cap-add=SYS_ADMIN']
    where = f'TFX {NEW.tfx}, Python {NEW.python}, Debian 13'
    say(f'{where}: {command}')
    run = [engine.name, 'run', '--rm', f'--label={label}', *options]
    done = ending.run([*run, BASE_IMAGE, 'bash', '-euc', _SCRIPT], env=engine.env)
    if done.returncode != 0:
        raise EngineError(f'{where}: {command!r} ended with {done.returncode} (see above)')
    say(f'{where}: passed: {command}')
