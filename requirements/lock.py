"""Recompiles the lock files from setup.py and the `.in` files (`make lock`)."""

from __future__ import annotations

import os
import runpy
import subprocess

from requirements.stacks import EXTRAS, OLD, ROOT, STACKS, SetUpError, Stack

# All packages except these must have a wheel, so that users need no compiler other than C++,
# which pyfarmhash needs.
SOURCE_ONLY = (
    'crcmod',
    'dill',
    'docopt',
    'google-apitools',
    'hdfs',
    'kfp',
    'kfp-server-api',
    'pyfarmhash',
    'pyjsparser',
    'rouge-score',
)


def lock_all(uv: str, upgrade: bool) -> None:
    """Recompile all lock files.

    Args:
        uv: Path of uv.
        upgrade: Whether to take the newest versions in place of the locked ones.

    Raises:
        SetUpError: No set of versions is compatible and has wheels for all platforms.
    """
    options = ['--upgrade'] if upgrade else []
    declared = runpy.run_path(str(ROOT / 'setup.py'))
    for name in ('uv', 'build', 'audit', 'servers'):
        source = (ROOT / f'requirements/{name}.in').read_text()
        _compile(uv, OLD, f'requirements/{name}.txt', source, options)
    for stack in STACKS.values():
        # All locks of a stack can be installed together.
        agreeing = options
        for extra, lock in zip(('install', *EXTRAS), stack.locks):
            names = ('KUBEFLOW', 'VERTEX') if extra == 'cloud' else (extra.upper(),)
            source = '\n'.join(line for name in names for line in declared[f'{name}_REQUIRES'])
            overrides = ['--overrides', 'requirements/overrides.in'] if extra == 'cloud' else []
            _compile(uv, stack, lock, source, [*agreeing, *overrides])
            agreeing = [*agreeing, '--constraints', lock]
        for platform in stack.platforms[1:]:
            for name in stack.locks:
                check = [name, '--no-deps', '--output-file', os.devnull]
                _run_uv(uv, stack, platform, check, '')


def _compile(uv: str, stack: Stack, output: str, source: str, options: list[str]) -> None:
    # The files must contain no path, host or date.
    quiet = ['--no-header', '--no-annotate', '--no-emit-index-url', '--no-emit-find-links']
    arguments = ['-', '--output-file', output, '--generate-hashes', *quiet, *options]
    arguments += ['--constraints', 'requirements/constraints.in']
    _run_uv(uv, stack, stack.platforms[0], arguments, source)


def _run_uv(uv: str, stack: Stack, platform: str, arguments: list[str], source: str) -> None:
    command = [uv, 'pip', 'compile', '--quiet', '--only-binary', ':all:']
    for package in SOURCE_ONLY:
        command += ['--no-binary', package]
    command += ['--python-version', stack.python, '--python-platform', platform, *arguments]
    result = subprocess.run(command, cwd=str(ROOT), input=source, encoding='utf-8', check=False)
    if result.returncode != 0:
        raise SetUpError(f'uv could not lock TFX {stack.name} for {platform} (see above)')
