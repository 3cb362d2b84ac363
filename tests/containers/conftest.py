"""An engine, the image that the Dockerfile makes, and the compiled pipeline to run in it."""

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

from pipeline.cloud.rehearsal.sample import cut_sample
from requirements import set_up, tools
from tests.conftest import REPO, run_command
from tests.containers import ending
from tests.containers.base_image import provide_base_image
from tests.containers.engine import IMAGE, LABEL, Engine, prepared_engine, say

_KFP_LOCK = 'requirements/kfp-local.txt'
_CLUSTER_ROOT = 'minio://mlpipeline/v2/artifacts'
_ROWS = 600


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run of a pipeline that has ended.

    Attributes:
        code: 0 if it says that it succeeded.
        log: What kfp's runner and the steps printed.
        containers: Image, user and exit code of each, in the order they ran.
        folder: Where it left its artifacts.
    """

    code: int
    folder: pathlib.Path
    log: str
    containers: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Kubeflow:
    """Runs the compiled pipeline as Kubeflow's local runner does.

    Attributes:
        engine: Runs the containers.
        python: Of an environment with kfp.
        root: The one folder that steps can see.
        spec: The compiled pipeline.
    """

    engine: Engine
    python: pathlib.Path
    root: pathlib.Path
    spec: pathlib.Path

    @property
    def serving_dir(self) -> pathlib.Path:
        return self.root / 'serving'

    def run(self, **parameters: Any) -> Finished:
        """Run it, each step in a container of its own."""
        command = [self.python, REPO / 'tests/containers/kfp_local.py', self.spec]
        command += ['--root', self.root, '--label', LABEL, '--parameters', json.dumps(parameters)]
        with self.engine.api() as env:
            done = ending.run(
                [str(part) for part in command],
                env={**env, 'PYTHONUNBUFFERED': '1'},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        log, _, last = done.stdout.rstrip('\n').rpartition('\n')
        # Shown by pytest where a test fails.
        print(log)
        try:
            containers = json.loads(last)
        except ValueError:
            pytest.fail(f'the runner itself failed: {last}')
        # Named by the time.
        folder = max(self.root.glob('sentiment-*'), default=None)
        if folder is None:
            pytest.fail(f'the runner left no folder of a run in {self.root}')
        return Finished(done.returncode, folder, log, containers)

    def output(self, run: Finished, node: str, key: str) -> pathlib.Path:
        """Return where a node of a run left an output.

        kfp takes the first five letters of a component's name for a prefix of
        its own, and so leaves them out of the name of the folder.
        """
        return run.folder / node[len('comp-') :] / key


@pytest.fixture(scope='session')
def engine() -> Iterator[Engine]:
    """Yield an engine that has the base image."""
    with prepared_engine(IMAGE, LABEL) as found:
        provide_base_image(found)
        yield found


@pytest.fixture(scope='session')
def image(engine: Engine) -> str:
    """Build the image as a user does, and return its name."""
    say('make image: some minutes')
    engine.run_visibly('make', '--no-print-directory', 'image', f'IMAGE={IMAGE}', cwd=REPO)
    return IMAGE


@pytest.fixture(scope='session')
def kfp_python(engine: Engine) -> pathlib.Path:
    """Make an environment with kfp and return its Python."""
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
def kubeflow(engine: Engine, image: str, kfp_python: pathlib.Path) -> Kubeflow:
    """Compile the pipeline for Kubeflow, with few data, and return what runs it."""
    root = engine.folder / 'root'
    cut_sample(root / 'data', rows=_ROWS)
    # Steps are no user of this machine.
    root.chmod(0o777)
    spec = engine.folder / 'pipeline.yaml'
    # The runner has a root of its own, as a cluster may.
    options = ['--target', 'kubeflow', '--image', image, '--pipeline-root', _CLUSTER_ROOT]
    options += ['--data', str(root / 'data'), '--serving-dir', str(root / 'serving')]
    compiled = run_command('compile', *options, '--output', str(spec), cwd=engine.folder)
    assert compiled.code == 0, compiled.err
    return Kubeflow(engine, kfp_python, root, spec)


@pytest.fixture
def signals_arrive() -> Iterator[None]:
    """Have signals arrive here and in children, also if all was begun with `nohup`."""
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
