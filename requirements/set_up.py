"""Installs `.venv` (`make setup`) or recompiles the lock files (`make lock`).

This program runs before any package is installed. It and the modules beside it use
only the standard library, and support Python 3.8 and newer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from requirements import lock, stacks, tools
from requirements.stacks import EXTRAS, ROOT, SetUpError, Stack

VENV = ROOT / '.venv'
VENV_PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'set-up.json'


class Stamp(NamedTuple):
    """Content of an environment. Written only when the environment is complete.

    Attributes:
        stack: Name of the stack.
        python: Version of Python.
        root: Path of the checkout, which the scripts of the environment contain.
        locks: Hash of each installed lock file.
    """

    stack: str
    python: str
    root: str
    locks: dict[str, str]


def read_stamp(path: Path) -> Stamp | None:
    """Return the stamp, None if the last set-up is incomplete."""
    try:
        stamp = Stamp(**json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError):
        return None
    return stamp if isinstance(stamp.locks, dict) else None


def wanted_locks(stack: Stack, extras: Collection[str], installed: Stamp | None) -> list[str]:
    """Return the lock files to install. Installed extras are kept."""
    present = installed.locks if installed else {}
    wanted = [lock for lock in stack.locks if lock in present]
    wanted += [stack.extra_lock(extra) for extra in extras]
    return [stack.lock, *sorted({*wanted} - {stack.lock})]


def file_hash(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def install(extras: Collection[str]) -> None:
    """Install the locked versions in `.venv`, unless it is up to date.

    Args:
        extras: Further packages, some of `EXTRAS`.

    Raises:
        SetUpError: This machine lacks a program, or the installation failed.
    """
    host = stacks.detect_host()
    stack, reason = stacks.choose_stack(host, os.environ.get('STACK', ''))
    stamp, version = read_stamp(STAMP), _venv_version()
    if stamp and stamp[:3] != (stack.name, version, str(ROOT)):
        stamp = None
    locks = {name: file_hash(name) for name in wanted_locks(stack, extras, stamp)}
    if stamp and stamp.locks == locks:
        say(f'.venv is up to date: TFX {stack.tfx} on Python {version}.')
        return
    tools.check_compiler(os.environ.get('CXX', ''))
    python = _find_python(stack, host.machine)
    say(f'TFX {stack.tfx} on Python {stack.python}: {reason}.')
    passed_over = f'; {python.passed_over}' if python.passed_over else ''
    say(f'Python: {python.request} ({python.origin}{passed_over}).')
    uv = tools.find_uv([sys.executable, *([python.request] if python.is_found else [])])
    say(f'uv: {uv}. Installing into .venv takes a minute or two the first time.')
    # Without the stamp, the next set-up replaces an incomplete environment.
    if STAMP.exists():
        STAMP.unlink()
    if not stamp:
        _make_venv(uv, python)
    _sync(uv, list(locks))
    version = _venv_version()
    stamp = Stamp(stack.name, version, str(ROOT), locks)
    STAMP.write_text(json.dumps(stamp._asdict(), indent=2) + '\n', encoding='utf-8')
    say(f'.venv is ready: TFX {stack.tfx} on Python {version}.')


def _venv_version() -> str:
    code = 'import platform; print(platform.python_version())'
    return tools.output_of([VENV_PYTHON, '-I', '-c', code])


def _find_python(stack: Stack, machine: str) -> tools.Python:
    pyenv_root = Path(os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv')
    path = os.environ.get('PATH', '')
    candidates = tools.python_candidates(stack.python, path, pyenv_root, VENV)
    return tools.find_python(stack.python, machine, candidates)


def _make_venv(uv: str, python: tools.Python) -> None:
    shutil.rmtree(str(VENV), ignore_errors=True)
    command = [uv, 'venv', '--quiet', '--no-project', '--python', python.request]
    if not python.is_found:
        command.append('--managed-python')
    if not _run_visibly([*command, str(VENV)]):
        if python.is_found:
            raise SetUpError(f'uv could not create .venv with {python.request} (see above)')
        passed_over = f' ({python.passed_over})' if python.passed_over else ''
        raise SetUpError(
            f'no Python {python.request} with C headers was found{passed_over}, and uv could'
            ' not download one (see above); install it, or connect to a network'
        )


def _sync(uv: str, locks: list[str]) -> None:
    command = [uv, 'pip', 'sync', '--python', str(VENV_PYTHON), '--require-hashes']
    # Without byte code, each start of the pipeline takes 14 s longer if
    # PYTHONDONTWRITEBYTECODE is set.
    command += ['--compile-bytecode', '--build-constraints', 'requirements/build.txt']
    if not _run_visibly([*command, *locks]):
        raise SetUpError('uv could not install the locked packages (see above)')


def _run_visibly(command: list[str]) -> bool:
    return subprocess.run(command, cwd=str(ROOT), check=False).returncode == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='set_up', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    installing = commands.add_parser('install', help='create or update .venv')
    for extra in EXTRAS:
        installing.add_argument(f'--{extra}', action='store_true', help=f'with the {extra} extra')
    locking = commands.add_parser('lock', help='recompile the lock files')
    locking.add_argument('--upgrade', action='store_true', help='take the newest versions')
    options = parser.parse_args(arguments)
    try:
        if options.command == 'install':
            install([extra for extra in EXTRAS if getattr(options, extra)])
        else:
            lock.lock_all(tools.find_uv([sys.executable]), options.upgrade)
    except SetUpError as err:
        say(f'error: {err}.')
        return err.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
