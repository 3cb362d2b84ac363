"""The package that `setup.py` builds has all code that a Beam worker needs."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import REPO
from tests.packaged import install_package

# The Beam nodes send classes and functions of these modules to their workers.
WORKER_MODULES = (
    'components.example_gen.workers',
    'components.statistics_gen.executor',
    'components.transform.vocabulary',
    'components.evaluator.executor',
)
_IMPORT = """
import importlib, json, sys
files = {name: importlib.import_module(name).__file__ for name in sys.argv[1:]}
print(json.dumps([files, sorted({name.partition('.')[0] for name in sys.modules})]))
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder where the package is installed, without the checkout."""
    return install_package(tmp_path_factory.mktemp('package'))


def files(folder: pathlib.Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for name in ('components', 'pipeline')
        for path in (folder / name).rglob('*')
        if path.is_file() and path.suffix not in ('.pyc', '.md', '.png')
    }


def test_package_has_each_file_of_the_code_when_beam_builds_it(site: pathlib.Path) -> None:
    assert files(site) == files(REPO)
    assert (site / 'pipeline_runner.py').is_file()
    assert os.access(site / 'components' / 'beam_worker' / 'boot.sh', os.X_OK)


# The package has all files, and the import contracts keep orchestration out of these modules.
@pytest.mark.slow
def test_workers_import_their_code_and_no_orchestration_from_the_package(
    site: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = subprocess.run(
        [sys.executable, '-c', _IMPORT, *WORKER_MODULES],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    found, imported = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(WORKER_MODULES)
    assert all(pathlib.Path(path).is_relative_to(site) for path in found.values())
    assert 'pipeline' not in imported
    assert 'pipeline_runner' not in imported
