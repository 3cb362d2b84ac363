"""Finds the programs that the set-up needs: Python, a C++ compiler and uv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from requirements.stacks import ROOT, SetUpError

UV_DIR = ROOT / '.uv'
UV_LOCK = 'requirements/uv.txt'

# 0.8 is the oldest version that was tested with these options.
MIN_UV = (0, 8)

# Source packages need the C headers, which distributions have in a separate package.
_CHECK = """
import os, platform, sys, sysconfig
minor, machine = sys.argv[1:]
if platform.python_implementation() != 'CPython' or '%d.%d' % sys.version_info[:2] != minor:
    print('is not CPython ' + minor)
elif platform.machine() != machine:
    print('is for ' + platform.machine())
elif not os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h')):
    print('has no C headers')
else:
    print('suitable')
"""


class Python(NamedTuple):
    """The Python for the environment.

    Attributes:
        request: A path, or a minor version that uv downloads.
        origin: Where it was found, as text for the user.
        passed_over: Unsuitable Pythons, with the reasons.
    """

    request: str
    origin: str
    passed_over: str = ''

    @property
    def is_found(self) -> bool:
        return os.path.isabs(self.request)


def run(command: Iterable[object], text: str = '') -> subprocess.CompletedProcess[str] | None:
    """Run a command and capture its output; None if it cannot start or hangs."""
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=str(ROOT),
            input=text,
            encoding='utf-8',
            errors='replace',
            capture_output=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def succeeds(result: subprocess.CompletedProcess[str] | None) -> bool:
    return result is not None and result.returncode == 0


def output_of(command: Iterable[object]) -> str:
    """Return the output of a command, empty if it fails."""
    result = run(command)
    return result.stdout.strip() if result and result.returncode == 0 else ''


def unfit_reason(path: str, minor: str, machine: str) -> str:
    """Return why a Python cannot be used, empty if it can."""
    answer = output_of([path, '-I', '-c', _CHECK, minor, machine])
    return '' if answer == 'suitable' else answer or 'does not run'


def python_candidates(
    minor: str, search_path: str, pyenv_root: Path, excluded: Path
) -> Iterator[tuple[str, str]]:
    """Yield path and origin of each program that may be the wanted Python.

    Args:
        minor: Minor version, such as `3.10`.
        search_path: Value of PATH.
        pyenv_root: Folder of pyenv, which contains `versions`.
        excluded: An environment to ignore, because it will be replaced.
    """
    folders = dict.fromkeys(Path(folder) for folder in search_path.split(os.pathsep) if folder)
    for name in (f'python{minor}', 'python3', 'python'):
        for folder in folders:
            if os.access(str(folder / name), os.X_OK) and excluded not in folder.parents:
                yield str(folder / name), 'on PATH'
    for folder in sorted(pyenv_root.glob(f'versions/{minor}.*'), key=_numbers, reverse=True):
        yield str(folder / 'bin' / 'python'), "one of pyenv's"


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r'\d+', path.name)]


def find_python(minor: str, machine: str, candidates: Iterable[tuple[str, str]]) -> Python:
    """Return the first suitable Python, or else one that uv downloads."""
    passed_over: list[str] = []
    for path, origin in candidates:
        reason = unfit_reason(path, minor, machine)
        if not reason:
            return Python(path, origin, ', '.join(passed_over))
        if path.endswith(minor):
            passed_over.append(f'{path} {reason}')
    return Python(minor, 'one that uv has or downloads', ', '.join(passed_over))


def check_compiler(preferred: str = '') -> None:
    """Check that a compiler compiles C++ code that includes the standard library.

    Args:
        preferred: Value of CXX.

    Raises:
        SetUpError: No compiler works.
    """
    tried = [compiler for compiler in (preferred, 'c++', 'g++') if compiler]
    for compiler in tried:
        command = [*compiler.split(), '-x', 'c++', '-fsyntax-only', '-']
        if succeeds(run(command, '#include <string>\nint main() { return 0; }\n')):
            return
    raise SetUpError(
        f'no C++ compiler works (tried {", ".join(tried)}), and pyfarmhash, which TFX needs,'
        ' comes as source only; install one: "apt install g++", "dnf install gcc-c++" or'
        ' "xcode-select --install"'
    )


def uv_version(uv: object) -> tuple[int, ...]:
    """Return the version of uv, empty if it does not run."""
    match = re.match(r'uv (\d+)\.(\d+)\.(\d+)', output_of([uv, '--version']))
    return tuple(int(part) for part in match.groups()) if match else ()


def find_uv(pythons: Iterable[str]) -> str:
    """Return a recent uv: the one on PATH, or else the pinned one in `.uv`.

    Args:
        pythons: Pythons that may install the pinned one.

    Raises:
        SetUpError: Neither exists, and no Python can install it.
    """
    on_path = shutil.which('uv')
    if on_path and uv_version(on_path) >= MIN_UV:
        return on_path
    own = UV_DIR / 'bin' / 'uv'
    version = '.'.join(str(part) for part in uv_version(own))
    if not version or f'uv=={version} ' not in (ROOT / UV_LOCK).read_text():
        _bootstrap_uv(pythons)
    return str(own)


def _bootstrap_uv(pythons: Iterable[str]) -> None:
    failures = []
    for python in dict.fromkeys(pythons):
        for module, install in (('pip', _install_with_pip), ('venv', _install_with_venv)):
            shutil.rmtree(str(UV_DIR), ignore_errors=True)
            result = install(python)
            if succeeds(result):
                return
            failures.append(f'{python} -m {module}: {reason_in(result)}')
    shutil.rmtree(str(UV_DIR), ignore_errors=True)
    raise SetUpError(
        f'found no recent uv, and no pip to install it ({"; ".join(failures)});'
        ' install one of them, for example with "apt install python3-pip"'
    )


def _install_with_pip(
    python: object, where: tuple[object, ...] = ('--no-user', '--target', UV_DIR)
) -> subprocess.CompletedProcess[str] | None:
    command = [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    command += ['--require-hashes', '--only-binary', ':all:', *where, '-r', UV_LOCK]
    return run(command)


def _install_with_venv(python: object) -> subprocess.CompletedProcess[str] | None:
    result = run([python, '-m', 'venv', UV_DIR])
    return _install_with_pip(UV_DIR / 'bin' / 'python', ()) if succeeds(result) else result


def reason_in(result: subprocess.CompletedProcess[str] | None) -> str:
    """Return the line of a failed command that most likely states the reason."""
    if result is None:
        return 'does not run'
    if result.stderr.strip():
        return result.stderr.strip().splitlines()[-1]
    return result.stdout.strip().partition('\n')[0]
