"""The official Python image that the Dockerfile builds on, or a copy made here.

If no registry can be reached, podman gets a copy that is made of Debian's packages
and a CPython of this machine.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

from requirements import tools
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


def provide_base_image(engine: Engine) -> None:
    """Use the base image that the engine stores, pull it, or make a copy.

    Raises:
        EngineError: If none of this is possible.
    """
    for command in (('image', 'inspect'), ('pull',)):
        done = engine.run(*command, BASE_IMAGE, check=False)
        if done.returncode == 0:
            say(f'the base is the official {BASE_IMAGE}')
            return
    say(f'the official {BASE_IMAGE} cannot be pulled: {done.stderr.strip()[-200:]}')
    if engine.name == 'docker':
        # A copy under the official name must not stay in a storage that others use.
        raise EngineError(
            f'{BASE_IMAGE} cannot be pulled: go online, or stop Docker and use podman'
        )
    say('the base is made here instead, with debootstrap and a CPython of this machine')
    # runc runs in a sandbox, and with old and new control groups.
    missing = [name for name in ('debootstrap', 'runc') if shutil.which(name) is None]
    if missing:
        install_packages(*missing, wanted=f'{BASE_IMAGE} cannot be pulled, and must be made')
    engine.use_sandbox_settings()
    root = engine.folder / 'base'
    _install_debian(root)
    _install_python(root, _find_prefix())
    packed = engine.folder / 'base.tar'
    # Without devices, which exist in a running system only.
    pack = ('tar', '--create', '--one-file-system', '--exclude=./dev/*', f'--file={packed}')
    _run(*pack, f'--directory={root}', '.')
    engine.run('import', str(packed), BASE_IMAGE)
    shutil.rmtree(root)
    packed.unlink()


def _find_prefix() -> pathlib.Path:
    """Return the folder of a CPython that can be copied, because nothing else is in it."""
    uv = tools.find_uv([sys.executable])
    listed = tools.output_of([uv, 'python', 'list', '--only-installed', f'cpython@{_PYTHON}'])
    for line in listed.splitlines():
        path = line.split(maxsplit=1)[1].partition(' -> ')[0]
        prefix = pathlib.Path(tools.output_of([path, '-I', '-c', _PREFIX]))
        if prefix != pathlib.Path('/usr') and (prefix / f'include/python{_PYTHON}').is_dir():
            return prefix
    raise EngineError(
        f'no CPython {_PYTHON} that could be copied into the base image: uv python install'
        f' {_PYTHON}, or go online, so that {BASE_IMAGE} can be pulled'
    )


def _install_debian(root: pathlib.Path) -> None:
    _run('debootstrap', '--variant=minbase', f'--include={",".join(_LIBRARIES)}', _SUITE, str(root))
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
    _run('chroot', str(root), 'ldconfig')
    _run('chroot', str(root), f'/usr/local/bin/{name}', '-I', '-m', 'ensurepip')


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f'{" ".join(command)} failed:\n{done.stdout[-2000:]}{done.stderr}')
