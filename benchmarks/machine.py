"""Describes the machine and the versions of a measurement."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess
from typing import Any

from benchmarks.archive import ROOT

_PACKAGES = (
    'tfx',
    'tensorflow',
    'keras',
    'tensorflow-transform',
    'tensorflow-model-analysis',
    'apache-beam',
    'numpy',
    'scikit-learn',
    'scipy',
    'fasttext-community',
)


def describe() -> dict[str, Any]:
    """Return date, commit, machine and versions, as JSON values."""
    return {
        'date': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        'commit': _commit(),
        'machine': {
            'cpu': _cpu(),
            'cores': os.cpu_count(),
            'memory_bytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
            'system': f'{platform.system()} {platform.machine()}',
            'load_average': round(os.getloadavg()[0], 2),
        },
        'versions': {'python': platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _cpu() -> str:
    with contextlib.suppress(OSError):
        text = pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8')
        if found := re.search(r'^model name\s*: (.*)$', text, re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the commit of the checkout, with a + if files differ; empty without git."""
    head = _git('rev-parse', '--short=12', 'HEAD')
    # Changes that the benchmarks write themselves do not count.
    written = (':!benchmarks/results', ':!README.md', ':!docs')
    changes = _git('status', '--porcelain', '--', '.', *written)
    return head + ('+' if head and changes else '')


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ['git', *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''
