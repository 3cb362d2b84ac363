"""The jars of Flink, of Spark and of Beam's runners for them, which Maven downloads."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from components.common.errors import ComponentError, MissingDependencyError

_FOLDER = pathlib.Path(__file__).parent
BUILDS = _FOLDER.parents[1] / 'build' / 'engine'
ENGINES = ('flink', 'spark')
MIN_JAVA = 17
# A job server sends the jars of its class path to the cluster with each job, except those in a
# folder of this name (isStageable in Beam's PipelineResources.java). Here, the cluster has them.
_NOT_SENT = ('gradle', 'wrapper')
_VERSION = re.compile(r'version "(\d+)')


def java() -> str:
    """Return the path of Java: that of JAVA_HOME, or else that on PATH."""
    home = os.environ.get('JAVA_HOME')
    return str(pathlib.Path(home) / 'bin' / 'java') if home else shutil.which('java') or 'java'


def require_programs() -> None:
    """Check that this machine has Java and Maven.

    Raises:
        MissingDependencyError: If it does not, or if Java is too old.
    """
    try:
        done = subprocess.run([java(), '-version'], capture_output=True, text=True, check=False)
        printed = done.stderr
    except OSError:
        printed = ''
    found = _VERSION.search(printed)
    if not found or int(found[1]) < MIN_JAVA:
        got = f'got Java {found[1]}' if found else 'found none that runs'
        raise MissingDependencyError(
            f'Flink and Spark need Java {MIN_JAVA} or newer; {got}',
            hint='install it (on Debian: apt-get install default-jre-headless), or set JAVA_HOME',
        )
    if shutil.which('mvn') is None:
        raise MissingDependencyError(
            'Maven is not installed; it downloads Flink and Spark',
            hint='install it (on Debian: apt-get install maven)',
        )


def folder_of(engine: str) -> pathlib.Path:
    """Return the folder of an engine's jars, which may not exist yet."""
    pom = _FOLDER / f'{engine}.xml'
    folder = BUILDS / f'{engine}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}'
    return folder.joinpath(*_NOT_SENT)


def download(engine: str) -> pathlib.Path:
    """Return a folder with the jars of an engine, which Maven downloads if they are not there.

    Args:
        engine: One of `ENGINES`.

    Raises:
        ComponentError: If Maven fails.
    """
    folder = folder_of(engine)
    if not folder.is_dir():
        started, part = time.monotonic(), folder.with_suffix('.part')
        options = ('--quiet', '--batch-mode', '-Dstyle.color=never', f'-DoutputDirectory={part}')
        command = [
            'mvn',
            *options,
            '--file',
            str(_FOLDER / f'{engine}.xml'),
            'dependency:copy-dependencies',
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-2_000:], file=sys.stderr)
            raise ComponentError(
                f'Maven failed with exit code {done.returncode} (see above)',
                hint='its settings name the repository that it downloads from',
            )
        part.rename(folder)
        seconds = time.monotonic() - started
        print(f'engine: downloaded {engine} in {seconds:.0f} s', file=sys.stderr, flush=True)
    return folder
