"""Builds the package as Beam does for `--setup_file`, and installs it as a worker does."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import sysconfig

from apache_beam.runners.portability.stager import Stager

from tests.conftest import REPO

_CODE = ('components', 'pipeline', 'data')
_FILES = ('setup.py', 'pipeline_runner.py', 'LICENSE')


def copy_code(folder: pathlib.Path) -> pathlib.Path:
    """Copy the files of the package, because Beam builds in this folder; return setup.py."""
    ignore = shutil.ignore_patterns('__pycache__')
    for name in _CODE:
        shutil.copytree(REPO / name, folder / name, ignore=ignore)
    for name in _FILES:
        shutil.copy(REPO / name, folder / name)
    return folder / 'setup.py'


def install_package(folder: pathlib.Path) -> pathlib.Path:
    """Build and install the package, and return the folder where it is installed."""
    built = folder / 'built'
    built.mkdir(parents=True)
    package = Stager._build_setup_package(str(copy_code(folder / 'code')), str(built))
    environment = folder / 'environment'
    subprocess.run([sys.executable, '-m', 'venv', str(environment)], check=True)
    # The locked packages are available, as on a worker.
    packages = next(environment.glob('lib/python*/site-packages'))
    (packages / 'locked.pth').write_text(sysconfig.get_path('purelib'), encoding='utf-8')
    pip = [str(environment / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', '--no-deps']
    # Without network access.
    pip += ['--no-index', '--no-build-isolation', '--disable-pip-version-check']
    site = folder / 'site'
    subprocess.run([*pip, '--target', str(site), package], check=True)
    return site
