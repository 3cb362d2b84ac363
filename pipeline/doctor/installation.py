"""Whether what the pipeline is built on is installed, as it was locked."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
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
from pipeline.doctor.finding import Finding, Say, ok, problem, warning

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_LOCKED = re.compile(r'^([A-Za-z0-9._-]+)==(\S+)', re.MULTILINE)
_EXTRAS = {'cloud': 'make cloud', 'dev': 'make test', 'bench': 'make bench'}
# Of each, whether Python has compiled it: an import of them all takes 14 s where not.
_LARGE_PACKAGES = ('tensorflow', 'tfx', 'apache_beam', 'tensorflow_model_analysis')
# What a run of IMDB takes at its peak with the default preset.
_MEMORY_BYTES = 2_300_000_000
_DISK_BYTES = 1_000_000_000
_LOAD_SECONDS = 120


def check(root: pathlib.Path, say: Say) -> Iterator[Finding]:
    """Look at the installation.

    Args:
        root: The folder for all that runs write; its disk should have room.
        say: Is told what takes long.

    Yields:
        Findings.
    """
    lock = _lock()
    yield from _python()
    yield from _packages(lock)
    yield _byte_code()
    say('loading TensorFlow and TFX')
    yield _loads()
    yield from _room(root)


def _lock() -> pathlib.Path | None:
    tfx = _installed('tfx')
    path = _PROJECT / 'requirements' / f'tfx-{_minor(tfx)}.txt' if tfx else None
    return path if path is not None and path.is_file() else None


def _minor(version: str) -> str:
    return '.'.join(version.split('.')[:2])


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    tfx = _installed('tfx')
    if tfx is None:
        yield problem(
            'Python',
            f'{version} at {sys.executable}, without TFX',
            'run `make setup`, then use .venv/bin/python',
            MissingDependencyError,
        )
        return
    wanted = stacks.PYTHONS.get(_minor(tfx))
    if wanted == _minor(version):
        yield ok('Python', f'{version}, with TFX {tfx}')
    else:
        known = f'locked for {wanted}' if wanted else f'not one of {", ".join(stacks.PYTHONS)}'
        yield problem(
            'Python',
            f'{version}; TFX {tfx} is {known}',
            'run `make setup`, then use .venv/bin/python',
            MissingDependencyError,
        )


def _packages(lock: pathlib.Path | None) -> Iterator[Finding]:
    if lock is None:
        yield warning('packages', 'there is no lock file beside the code to compare with')
        return
    name = f'requirements/{lock.name}'
    locked = _read(lock)
    wrong = _differences(locked)
    if wrong:
        more = f', and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        yield problem(
            'packages',
            f'not as in {name}: {"; ".join(wrong[:3])}{more}',
            'run `make setup`',
            MissingDependencyError,
        )
    else:
        yield ok('packages', f'{len(locked)}, all as in {name}')
    for extra, command in _EXTRAS.items():
        path = lock.with_name(f'{lock.stem}-{extra}.txt')
        # An extra's lock has all of the base in it, where it needs it.
        own = {k: v for k, v in _read(path).items() if k not in locked} if path.is_file() else {}
        missing = [package for package in own if _installed(package) is None]
        if len(missing) == len(own):
            yield ok(f'extra {extra}', f'not installed; `{command}` installs it')
        elif wrong := _differences(own):
            yield warning(f'extra {extra}', f'not as locked: {wrong[0]}', f'run `{command}`')
        else:
            yield ok(f'extra {extra}', f'{len(own)} packages, as locked')


def _read(lock: pathlib.Path) -> dict[str, str]:
    return dict(_LOCKED.findall(lock.read_text(encoding='utf-8')))


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _differences(locked: dict[str, str]) -> list[str]:
    return [
        f'{package} is {found or "missing"}, expected {version}'
        for package, version in locked.items()
        if (found := _installed(package)) != version
    ]


def _byte_code() -> Finding:
    bare = [name for name in _LARGE_PACKAGES if not _is_compiled(name)]
    if not bare:
        return ok('byte code', 'compiled')
    return warning(
        'byte code',
        f'{", ".join(bare)}: not compiled, so that each start takes some 14 s longer',
        f'{sys.executable} -m compileall -q {pathlib.Path(sys.prefix, "lib")}',
    )


def _is_compiled(package: str) -> bool:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return True  # that it is missing is told elsewhere
    sources = sorted(pathlib.Path(found.origin).parent.glob('**/*.py'))[:200]
    return all(os.path.exists(importlib.util.cache_from_source(str(path))) for path in sources)


def _loads() -> Finding:
    began = time.monotonic()
    try:
        # In another process: a library that does not fit the machine ends it by a signal.
        done = subprocess.run(
            [sys.executable, '-c', 'import pipeline.local.runner'],
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        told = f'TensorFlow and TFX do not load within {_LOAD_SECONDS} s'
        return problem('loading', told, 'run `make clean setup`', MissingDependencyError)
    if done.returncode == 0:
        return ok('loading', f'TensorFlow and TFX load in {time.monotonic() - began:.1f} s')
    why = (done.stderr.strip().splitlines() or [f'ended by signal {-done.returncode}'])[-1]
    return problem(
        'loading',
        f'TensorFlow and TFX do not load: {why}',
        'run `make clean setup`',
        MissingDependencyError,
    )


def _room(root: pathlib.Path) -> Iterator[Finding]:
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    told = f'{free / 1e9:,.1f} GB free at {place}'
    if free < _DISK_BYTES:
        yield warning('disk', told, 'a run of IMDB takes 0.4 GB, and keeps 0.2 GB: make room')
    else:
        yield ok('disk', told)
    available = _available_bytes()
    if available is None:
        return
    told = f'{available / 1e9:,.1f} GB available'
    if available < _MEMORY_BYTES:
        yield warning('memory', told, f'a run of IMDB takes {_MEMORY_BYTES / 1e9:.1f} GB')
    else:
        yield ok('memory', told)


def _available_bytes() -> int | None:
    try:
        content = pathlib.Path('/proc/meminfo').read_text(encoding='ascii')
    except OSError:  # not Linux
        return None
    match = re.search(r'^MemAvailable:\s+(\d+) kB', content, re.MULTILINE)
    return int(match[1]) * 1024 if match else None

