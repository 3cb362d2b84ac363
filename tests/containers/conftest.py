"""Fixtures: a container engine, the image, and the compiled pipeline to run in it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cloud.rehearsal.workspace import cut_sample
from requirements import set_up, tools
from tests.conftest import REPO, run_command
from tests.containers import process_groups
from tests.containers.base_image import provide_base_image
from tests.containers.engine import IMAGE, LABEL, Engine, prepare_engine, say

_KFP_LOCK = 'requirements/kfp-local.txt'
_CLUSTER_ROOT = 'minio://mlpipeline/v2/artifacts'
_ROWS = 600


@dataclasses.dataclass(frozen=True)
class LocalKfpRun:
    """A finished run of the compiled pipeline.

    Attributes:
        code: Exit code, 0 if KFP's runner reports success.
        folder: Folder of the artifacts.
        log: Output of KFP's runner and of the steps.
        containers: Image, user and exit code of each container, in order.
    """

    code: int
    folder: pathlib.Path
    log: str
    containers: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class LocalKfp:
    """Runs the compiled pipeline with KFP's own local runner.

    Attributes:
        engine: Runs the containers.
        python: Python of an environment with kfp.
        root: The only folder that steps can see.
        spec: The compiled pipeline.
    """

    engine: Engine
    python: pathlib.Path
    root: pathlib.Path
    spec: pathlib.Path

    @property
    def serving_dir(self) -> pathlib.Path:
        return self.root / 'serving'

    def run(self, **parameters: Any) -> LocalKfpRun:
        """Run the pipeline, each step in a new container."""
        command = [self.python, REPO / 'tests/containers/kfp_local.py', self.spec]
        command += ['--root', self.root, '--label', LABEL, '--parameters', json.dumps(parameters)]
        with self.engine.api() as env:
            done = process_groups.run_command(
                [str(part) for part in command],
                env={**env, 'PYTHONUNBUFFERED': '1'},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        log, _, last = done.stdout.rstrip('\n').rpartition('\n')
        # pytest shows it if a test fails.
        print(log)
        containers = json.loads(last)
        # The names of runs end with the time.
        folder = max(self.root.glob('sentiment-*'))
        return LocalKfpRun(done.returncode, folder, log, containers)

    def output(self, run: LocalKfpRun, node: str, key: str) -> pathlib.Path:
        """Return the folder of an output of a node.

        KFP expects component names to start with `comp-`, and removes five
        letters from ours.
        """
        return run.folder / node[len('comp-') :] / key


@pytest.fixture(scope='session')
def engine() -> Iterator[Engine]:
    """Yield an engine with the base image."""
    with prepare_engine() as found:
        provide_base_image(found)
        yield found


@pytest.fixture(scope='session')
def image(engine: Engine) -> str:
    """Build the image with make, and return its name."""
    say('make image: some minutes')
    engine.run_visibly('make', '--no-print-directory', 'image', f'IMAGE={IMAGE}', cwd=REPO)
    return IMAGE


@pytest.fixture(scope='session')
def kfp_python(engine: Engine) -> pathlib.Path:
    """Install kfp in a new environment, and return its Python."""
    venv = engine.folder / 'kfp'
    uv = tools.find_uv([sys.executable])
    path = os.environ.get('PATH', '')
    pyenv_root = pathlib.Path(os.environ.get('PYENV_ROOT') or pathlib.Path.home() / '.pyenv')
    candidates = tools.python_candidates('3.11', path, pyenv_root, set_up.VENV)
    python = tools.find_python('3.11', os.uname().machine, candidates)
    engine.run_visibly(uv, 'venv', '--quiet', '--no-project', '--python', python.request, str(venv))
    sync = [uv, 'pip', 'sync', '--quiet', '--python', str(venv / 'bin/python'), '--require-hashes']
    constraints = ['--build-constraints', str(REPO / 'requirements/build.txt')]
    engine.run_visibly(*sync, *constraints, str(REPO / _KFP_LOCK))
    return venv / 'bin' / 'python'


@pytest.fixture(scope='session')
def local_kfp(engine: Engine, image: str, kfp_python: pathlib.Path) -> LocalKfp:
    """Compile the pipeline for Kubeflow with little data, and return its runner."""
    root = engine.folder / 'root'
    cut_sample(root / 'data', rows=_ROWS)
    # The user of the steps is none of this machine.
    root.chmod(0o777)
    spec = engine.folder / 'pipeline.yaml'
    # KFP's runner replaces this root, as a cluster may.
    options = ['--target', 'kubeflow', '--image', image, '--pipeline-root', _CLUSTER_ROOT]
    options += ['--data', str(root / 'data'), '--serving-dir', str(root / 'serving')]
    compiled = run_command('compile', *options, '--output', str(spec), cwd=engine.folder)
    assert compiled.code == 0, compiled.err
    return LocalKfp(engine, kfp_python, root, spec)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Restore signals that are ignored because pytest was started with `nohup`."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ignored = [number for number in usual if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
