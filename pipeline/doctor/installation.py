"""Checks of the installation: Python, the packages, and the resources of the machine."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

from components.common import stacks
from components.common.errors import MissingDependencyError
from pipeline.doctor.finding import Checks, Context, Finding

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_LOCKED_VERSION = re.compile(r'^([A-Za-z0-9._-]+)==(\S+)', re.MULTILINE)
_MEMINFO = pathlib.Path('/proc/meminfo')
# A run on IMDB with the default preset needs less than half of this disk space, and as peak memory:
_DISK_GB = 1.0
_MEMORY_GB = 2.3
_IMPORT_SECONDS = 120


def _check_python(context: Context) -> Iterator[Finding]:
    version, tfx = platform.python_version(), _installed_version('tfx')
    if stacks.PYTHONS.get(_minor_version(tfx)) != _minor_version(version):
        supported = ', '.join(f'{tfx} with Python {py}' for tfx, py in stacks.PYTHONS.items())
        raise MissingDependencyError(
            f'{version} at {sys.executable}, {f"with TFX {tfx}" if tfx else "without TFX"}; '
            f'supported: TFX {supported}',
            hint='run `make setup`, then use .venv/bin/python',
        )
    yield Finding('Python', f'{version}, with TFX {tfx}')


def _check_packages(context: Context) -> Iterator[Finding]:
    lock = _PROJECT / 'requirements' / f'tfx-{_minor_version(_installed_version("tfx"))}.txt'
    if lock.is_file():
        yield compare_with_lock(lock)
    else:
        message = f'{lock} is missing: package versions cannot be compared'
        yield Finding('packages', message, 'use a checkout of the project')


def compare_with_lock(lock: pathlib.Path) -> Finding:
    """Compare the installed packages with a lock file.

    Raises:
        MissingDependencyError: If they differ.
    """
    locked = dict(_LOCKED_VERSION.findall(lock.read_text(encoding='utf-8')))
    name = f'requirements/{lock.name}'
    wrong = [
        f'{package} is {found or "missing"}, expected {version}'
        for package, version in locked.items()
        if (found := _installed_version(package)) != version
    ]
    if wrong:
        more = f', and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        message = f'they differ from {name}: {"; ".join(wrong[:3])}{more}'
        raise MissingDependencyError(message, hint='run `make setup`')
    return Finding('packages', f'{len(locked)}, all as in {name}')


def _check_imports(context: Context) -> Iterator[Finding]:
    started = time.monotonic()
    # In another process, because a library that does not suit the machine kills its process.
    # Without garbage collection and without an orderly exit, which take half of the time.
    code = 'import gc, os; gc.disable(); import pipeline.local.runner; os._exit(0)'
    command = [sys.executable, '-c', code]
    try:
        subprocess.run(
            command, cwd=_PROJECT, capture_output=True, text=True, check=True,
            timeout=_IMPORT_SECONDS,
        )  # fmt: skip
    except subprocess.SubprocessError as err:
        lines = err.stderr.split('\n') if isinstance(err, subprocess.CalledProcessError) else []
        reason = next(filter(None, reversed(lines)), str(err))
        raise MissingDependencyError(
            f'TensorFlow and TFX cannot be imported: {reason}', hint='run `make clean setup`'
        ) from err
    yield Finding('imports', f'TensorFlow and TFX: {time.monotonic() - started:.1f} s')


def _check_resources(context: Context) -> Iterator[Finding]:
    folder = next(path for path in (context.root, *context.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    yield _compare('disk', free, _DISK_GB, f'free at {folder}')
    if _MEMINFO.exists():  # on Linux
        (kib,) = re.findall(r'^MemAvailable:\s+(\d+) kB', _MEMINFO.read_text(), re.MULTILINE)
        yield _compare('memory', int(kib) * 1024 / 1e9, _MEMORY_GB, 'available')


def _compare(subject: str, found: float, needed: float, where: str) -> Finding:
    hint = f'free some: a run on IMDB needs {needed} GB' if found < needed else ''
    return Finding(subject, f'{found:,.1f} GB {where}', hint)


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _minor_version(version: str | None) -> str:
    return '.'.join((version or '').split('.')[:2])


CHECKS: Checks = {
    'Python': _check_python,
    'packages': _check_packages,
    'imports': _check_imports,
    'resources': _check_resources,
}
