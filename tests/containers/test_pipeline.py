"""The compiled Kubeflow pipeline with KFP's own local runner, each step in a container.

The runs share a root and a serving folder, as on a cluster: the model that the
first run pushes is the baseline of the others.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml

from components.user_module.source import find_module
from pipeline.cloud.compile import describe_image
from pipeline.cloud.rehearsal.workspace import cut_sample
from requirements import tools
from tests.conftest import REPO, run_command, snapshot
from tests.containers.engine import IMAGE, LABEL, Engine

pytestmark = pytest.mark.containers

_CONTAINER_USER = 1000
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

    def output(self, node: str, key: str) -> pathlib.Path:
        """Return the folder of an output of a node.

        KFP expects component names to start with `comp-`, and removes five
        letters from ours.
        """
        return self.folder / node[len('comp-') :] / key


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
        program = REPO / 'tests' / 'containers' / 'kfp_local.py'
        options = ['--label', LABEL, '--parameters', json.dumps(parameters)]
        with self.engine.api() as env:
            done = subprocess.run(
                [self.python, program, self.spec, '--root', self.root, *options],
                env={**env, 'PYTHONUNBUFFERED': '1'},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        log, _, last = done.stdout.rstrip('\n').rpartition('\n')
        # pytest shows it if a test fails.
        print(log)
        # The names of runs end with the time.
        folder = max(self.root.glob('sentiment-*'))
        return LocalKfpRun(done.returncode, folder, log, json.loads(last))


def install_kfp(engine: Engine) -> pathlib.Path:
    """Install kfp in a new environment, and return its Python."""
    venv = engine.folder / 'kfp'
    uv = tools.find_uv([sys.executable])
    engine.run_visibly(uv, 'venv', '--quiet', '--no-project', '--python', '3.11', str(venv))
    sync = [uv, 'pip', 'sync', '--quiet', '--python', str(venv / 'bin/python'), '--require-hashes']
    constraints = ['--build-constraints', str(REPO / 'requirements/build.txt')]
    engine.run_visibly(*sync, *constraints, str(REPO / _KFP_LOCK))
    return venv / 'bin' / 'python'


@pytest.fixture(scope='module')
def local_kfp(engine: Engine, image: str) -> LocalKfp:
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
    return LocalKfp(engine, install_kfp(engine), root, spec)


@pytest.fixture(scope='module')
def pushed(local_kfp: LocalKfp) -> LocalKfpRun:
    """Run the pipeline for the first time."""
    run = local_kfp.run()
    assert run.code == 0, run.log
    return run


def files_of(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_first_run_is_blessed_and_pushed(local_kfp: LocalKfp, pushed: LocalKfpRun) -> None:
    assert files_of(pushed.output('Evaluator', 'blessing')) == {'BLESSED'}
    (version,) = local_kfp.serving_dir.glob('[0-9]*')
    assert version.name.isdecimal()
    assert (version / 'saved_model.pb').is_file()


def test_each_step_is_a_container_of_the_image_and_not_root(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    tasks = yaml.safe_load(local_kfp.spec.read_text())['root']['dag']['tasks']
    assert len(pushed.containers) == len(tasks)
    assert len({container['id'] for container in pushed.containers}) == len(tasks)
    for container in pushed.containers:
        assert (container['image'], container['user']) == (IMAGE, str(_CONTAINER_USER))
        assert container['exit_code'] == 0
    if local_kfp.engine.shares_user_ids:
        written = [*pushed.folder.rglob('*'), *local_kfp.serving_dir.rglob('*')]
        assert {path.stat().st_uid for path in written if path.is_file()} == {_CONTAINER_USER}


def test_served_version_stays_when_a_candidate_is_not_blessed(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    before = snapshot(local_kfp.serving_dir)
    # Another model, because a served model is not its own baseline.
    run = local_kfp.run(min_accuracy=0.99, svm_cost=0.5)
    assert run.code == 0, run.log
    baseline = run.output('ServedBaseline', 'model')
    assert (baseline / 'Format-Serving' / 'saved_model.pb').is_file()
    assert files_of(run.output('Evaluator', 'blessing')) == {'NOT_BLESSED'}
    assert snapshot(local_kfp.serving_dir) == before


def test_image_has_a_module_when_two_lines_are_added(engine: Engine, image: str) -> None:
    folder = REPO / 'examples'
    module = find_module(str(folder / 'gru.py'))
    *_, copy = describe_image(module, 'reviews-gru').splitlines()
    dockerfile = engine.folder / 'Dockerfile'
    dockerfile.write_text(f'FROM {image}\n{copy}\n')
    name = f'{image.rpartition(":")[0]}-gru:test'
    engine.run_visibly(
        *(engine.name, 'build', '--tag', name, '--file', str(dockerfile), str(folder))
    )
    reference = module.reference(local=False)
    for digest, found in ((module.digest, True), ('0' * 64, False)):
        found_by = {**reference, 'digest': digest}
        code = 'from components.user_module.loading import load_module; '
        code += f'load_module({found_by!r}).build_model'
        done = engine.run('run', '--rm', '--label', LABEL, name, 'python', '-c', code, check=False)
        assert (done.returncode == 0) is found, done.stderr
    assert 'is not the module gru that the pipeline was created with' in done.stderr


def test_failing_step_is_reported_and_ends_the_run(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    before = snapshot(local_kfp.serving_dir)
    run = local_kfp.run(data_folder=str(local_kfp.root / 'nowhere'))
    assert run.code == 1, run.log
    *others, last = run.containers
    assert last['exit_code'] != 0
    assert {container['exit_code'] for container in others} <= {0}
    assert 'FAILURE' in run.log
    assert len(run.containers) < len(pushed.containers)
    assert snapshot(local_kfp.serving_dir) == before
