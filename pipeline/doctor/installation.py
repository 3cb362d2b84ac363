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
from pipeline.doctor.finding import Check, Context, Finding, ok, problem, warning

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_LOCKED_VERSION = re.compile(r'^([A-Za-z0-9._-]+)==(\S+)', re.MULTILINE)
_SETUP_HINT = 'run `make setup`, then use .venv/bin/python'
# The peak memory of a run on IMDB with the default preset.
_MEMORY_BYTES = 2_300_000_000
_DISK_BYTES = 1_000_000_000
_IMPORT_SECONDS = 120


def _check_python(context: Context) -> Iterator[Finding]:
    version, tfx = platform.python_version(), _installed_version('tfx')
    if tfx is None:
        message = f'{version} at {sys.executable}, without TFX'
    elif stacks.PYTHONS.get(_minor_version(tfx)) == _minor_version(version):
        yield ok('Python', f'{version}, with TFX {tfx}')
        return
    else:
        supported = ', '.join(f'{tfx} with Python {py}' for tfx, py in stacks.PYTHONS.items())
        message = f'{version}, with TFX {tfx}; supported: TFX {supported}'
    yield problem('Python', message, _SETUP_HINT, MissingDependencyError)


def _check_packages(context: Context) -> Iterator[Finding]:
    lock = _PROJECT / 'requirements' / f'tfx-{_minor_version(_installed_version("tfx") or "")}.txt'
    if lock.is_file():
        yield compare_with_lock(lock)
    else:
        yield warning('packages', f'{lock} is missing: package versions cannot be compared')


def compare_with_lock(lock: pathlib.Path) -> Finding:
    """Compare the installed packages with a lock file."""
    locked = dict(_LOCKED_VERSION.findall(lock.read_text(encoding='utf-8')))
    name = f'requirements/{lock.name}'
    wrong = [
        f'{package} is {found or "missing"}, expected {version}'
        for package, version in locked.items()
        if (found := _installed_version(package)) != version
    ]
    if not wrong:
        return ok('packages', f'{len(locked)}, all as in {name}')
    more = f', and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    message = f'they differ from {name}: {"; ".join(wrong[:3])}{more}'
    return problem('packages', message, 'run `make setup`', MissingDependencyError)


def _check_imports(context: Context) -> Iterator[Finding]:
    context.show_progress('loading TensorFlow and TFX')
    started = time.monotonic()
    reason = ''
    try:
        # In another process, because a library that does not suit the machine kills its process.
        done = subprocess.run(
            [sys.executable, '-c', 'import pipeline.local.runner'],
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_IMPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        reason = f'not complete after {_IMPORT_SECONDS} s'
    else:
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            reason = lines[-1] if lines else f'the process ended with code {done.returncode}'
    if reason:
        message = f'TensorFlow and TFX cannot be imported: {reason}'
        yield problem('imports', message, 'run `make clean setup`', MissingDependencyError)
    else:
        yield ok('imports', f'TensorFlow and TFX: {time.monotonic() - started:.1f} s')


def _check_resources(context: Context) -> Iterator[Finding]:
    folder = next(path for path in (context.root, *context.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    message = f'{free / 1e9:,.1f} GB free at {folder}'
    if free < _DISK_BYTES:
        yield warning('disk', message, 'make room: a run of IMDB needs 0.4 GB and keeps 0.2 GB')
    else:
        yield ok('disk', message)
    available = _available_memory_bytes()
    if available is None:
        return
    message = f'{available / 1e9:,.1f} GB available'
    if available < _MEMORY_BYTES:
        yield warning('memory', message, f'a run of IMDB needs {_MEMORY_BYTES / 1e9:.1f} GB')
    else:
        yield ok('memory', message)


def _available_memory_bytes() -> int | None:
    try:
        content = pathlib.Path('/proc/meminfo').read_text(encoding='ascii')
    except OSError:  # not Linux
        return None
    match = re.search(r'^MemAvailable:\s+(\d+) kB', content, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _minor_version(version: str) -> str:
    return '.'.join(version.split('.')[:2])


CHECKS: tuple[Check, ...] = (_check_python, _check_packages, _check_imports, _check_resources)
