"""The project's code as Beam packs it for `--setup_file`, and as a worker installs it."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import sysconfig

from apache_beam.runners.portability.stager import Stager

from tests.conftest import REPO

_CODE = ('components', 'pipeline', 'data')
_FILES = ('setup.py', 'pipeline_runner.py', 'README.md', 'LICENSE')


def copy_code(folder: pathlib.Path) -> pathlib.Path:
    """Copy what is packed: Beam builds beside setup.py. Return the copy's setup.py."""
    ignore = shutil.ignore_patterns('__pycache__')
    for name in _CODE:
        shutil.copytree(REPO / name, folder / name, ignore=ignore)
    for name in _FILES:
        shutil.copy(REPO / name, folder / name)
    return folder / 'setup.py'


def install_package(folder: pathlib.Path) -> pathlib.Path:
    """Have Beam pack the code, install that as its workers do, and return where it is then."""
    built = folder / 'built'
    built.mkdir(parents=True)
    package = Stager._build_setup_package(str(copy_code(folder / 'code')), str(built))
    environment = folder / 'environment'
    subprocess.run([sys.executable, '-m', 'venv', str(environment)], check=True)
    # The packages of the lock are there, as on a worker; this one is not.
    packages = next(environment.glob('lib/python*/site-packages'))
    (packages / 'locked.pth').write_text(sysconfig.get_path('purelib'), encoding='utf-8')
    pip = [str(environment / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', '--no-deps']
    # Nothing is fetched.
    pip += ['--no-index', '--no-build-isolation', '--disable-pip-version-check']
    site = folder / 'site'
    subprocess.run([*pip, '--target', str(site), package], check=True)
    return site
