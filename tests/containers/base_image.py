"""The official Python image that the Dockerfile builds on, or a copy made here.

If no registry can be reached, podman gets a copy that is made of Debian's packages
and a CPython of this machine.
"""

from __future__ import annotations

import os
import pathlib
import platform
import shutil
import subprocess

from requirements import set_up, tools
from tests.containers import process_groups
from tests.containers.engine import BASE_IMAGE, Engine, EngineError, install_packages, say

_PYTHON = '3.11'
_SUITE = 'trixie'
# Libraries that the modules of CPython load.
_LIBRARIES = (
    'ca-certificates',
    'libbz2-1.0',
    'libexpat1',
    'libffi8',
    'liblzma5',
    'libncursesw6',
    'libreadline8t64',
    'libsqlite3-0',
    'libssl3t64',
    'libuuid1',
    'zlib1g',
)
_PREFIX = 'import sys; print(sys.base_prefix)'
_CAPTURED = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}


def provide_base_image(engine: Engine) -> None:
    """Use the base image that the engine stores, pull it, or make a copy.

    Raises:
        EngineError: If none of this is possible.
    """
    if engine.has(BASE_IMAGE):
        say(f'the base is the {BASE_IMAGE} that {engine.name} stores')
        return
    pulled = engine.run('pull', BASE_IMAGE, check=False)
    if pulled.returncode == 0:
        say(f'the base is the official {BASE_IMAGE}')
        return
    reason = (pulled.stderr.strip().splitlines() or ['no reason given'])[-1]
    say(f'the official {BASE_IMAGE} cannot be pulled: {reason}')
    if engine.name == 'docker':
        # A copy under the official name must not stay in a storage that others use.
        raise EngineError(
            f'{BASE_IMAGE} cannot be pulled: go online, or stop Docker and use podman'
        )
    say('the base is made here instead, with debootstrap and a CPython of this machine')
    _require_tools()
    engine.use_sandbox_settings()
    root = engine.folder / 'base'
    _install_debian(root)
    _install_python(root, _find_prefix())
    _import(engine, root)
    shutil.rmtree(root)


def _require_tools() -> None:
    # runc runs in a sandbox, and with old and new control groups.
    missing = [name for name in ('debootstrap', 'runc') if shutil.which(name) is None]
    wanted = f'{BASE_IMAGE} cannot be pulled: go online, or let the tests make it'
    if missing:
        install_packages(*missing, wanted=wanted)
    elif os.geteuid() != 0:
        raise EngineError(f'{wanted}, as root')


def _find_prefix() -> pathlib.Path:
    """Return the folder of a CPython that can be copied, because nothing else is in it."""
    pyenv_root = pathlib.Path(os.environ.get('PYENV_ROOT') or pathlib.Path.home() / '.pyenv')
    candidates = tools.python_candidates(
        _PYTHON, os.environ.get('PATH', ''), pyenv_root, set_up.VENV
    )
    for path, _ in candidates:
        if tools.unfit_reason(tools.probe_python(path), _PYTHON, platform.machine()):
            continue
        prefix = pathlib.Path(tools.output_of([path, '-I', '-c', _PREFIX]))
        if prefix != pathlib.Path('/usr') and (prefix / f'lib/python{_PYTHON}').is_dir():
            return prefix
    raise EngineError(
        f'no CPython {_PYTHON} that could be copied into the base image: pyenv install {_PYTHON},'
        f' or go online, so that {BASE_IMAGE} can be pulled'
    )


def _install_debian(root: pathlib.Path) -> None:
    command = ['debootstrap', '--variant=minbase', f'--include={",".join(_LIBRARIES)}', _SUITE]
    done = process_groups.run_command([*command, str(root)], **_CAPTURED)
    if done.returncode != 0:
        raise EngineError(f'{" ".join(command)} failed:\n{done.stdout[-2000:]}{done.stderr}')
    for folder in ('var/cache/apt/archives', 'var/lib/apt/lists'):
        shutil.rmtree(root / folder)
        (root / folder / 'partial').mkdir(parents=True)


def _install_python(root: pathlib.Path, prefix: pathlib.Path) -> None:
    local = root / 'usr' / 'local'
    name = f'python{_PYTHON}'
    # Without the packages that are installed on this machine.
    unwanted = shutil.ignore_patterns('site-packages', 'test', '__pycache__')
    shutil.copytree(prefix / 'lib' / name, local / 'lib' / name, ignore=unwanted)
    shutil.copytree(prefix / 'include' / name, local / 'include' / name)
    for library in (prefix / 'lib').glob('libpython*'):
        shutil.copy2(library, local / 'lib', follow_symlinks=False)
    (local / 'lib' / name / 'site-packages').mkdir()
    shutil.copy2(prefix / 'bin' / name, local / 'bin')
    for link, target in (('python3', name), ('python', 'python3')):
        (local / 'bin' / link).symlink_to(target)
    for command in (['ldconfig'], [f'/usr/local/bin/{name}', '-I', '-m', 'ensurepip']):
        done = process_groups.run_command(['chroot', str(root), *command], **_CAPTURED)
        if done.returncode != 0:
            raise EngineError(f'{" ".join(command)} failed in the base image: {done.stderr}')


def _import(engine: Engine, root: pathlib.Path) -> None:
    # Without devices, which exist in a running system only.
    pack = ['tar', '--create', '--one-file-system', '--exclude=./dev/*', '--directory', str(root)]
    with process_groups.start_command([*pack, '.'], stdout=subprocess.PIPE) as tar:
        engine.run_visibly(
            engine.name, 'import', '-', BASE_IMAGE, stdin=tar.stdout, stdout=subprocess.DEVNULL
        )
    if tar.returncode != 0:
        raise EngineError(f'tar could not pack {root} (see above)')
