"""The content of the image."""

from __future__ import annotations

import json
import pathlib

import pytest

from components.user_module.source import find_module
from pipeline.cloud.compile import describe_image
from tests.conftest import REPO
from tests.containers.engine import LABEL, Engine

pytestmark = pytest.mark.containers


def run(engine: Engine, image: str, *command: str) -> str:
    return engine.run('run', '--rm', '--workdir', '/', image, *command).stdout


def test_steps_set_their_own_command_and_are_not_root(engine: Engine, image: str) -> None:
    config = json.loads(engine.run('inspect', '--type', 'image', image).stdout)[0]['Config']
    assert config['User'] == '1000'
    assert not config.get('Entrypoint')


def test_code_and_packages_are_importable_when_the_environment_is_empty(
    engine: Engine, image: str
) -> None:
    # They must not depend on the environment that the image sets.
    code = (
        'import components.common.entry_point, pipeline_runner, importlib.metadata as metadata;'
        'print(metadata.version("tfx"), metadata.version("kfp"))'
    )
    python = ('env', '--ignore-environment', '/opt/venv/bin/python', '-c', code)
    assert run(engine, image, *python).split() == ['1.21.0', '2.16.1']


def test_image_has_byte_code_that_a_step_could_not_write(engine: Engine, image: str) -> None:
    code = (
        'import components.common.entry_point as ours, tfx as theirs, os;'
        'print(*(os.path.exists(module.__cached__) for module in (ours, theirs)),'
        ' *(os.access(os.path.dirname(module.__file__), os.W_OK) for module in (ours, theirs)))'
    )
    assert run(engine, image, 'python', '-c', code).split() == ['True', 'True', 'False', 'False']


def test_modules_for_beam_services_are_importable(engine: Engine, image: str) -> None:
    """Beam imports these modules if `beam.runner` names a service, which no test has."""
    modules = (
        'apache_beam.io.gcp.bigquery',
        'apache_beam.io.gcp.gcsfilesystem',
        'apache_beam.io.gcp.gcsio',
        'apache_beam.runners.dataflow.dataflow_runner',
        'apache_beam.runners.dataflow.internal.apiclient',
        'apache_beam.runners.portability.flink_runner',
        'apache_beam.runners.portability.portable_runner',
        'apache_beam.runners.portability.sdk_container_builder',
        'apache_beam.runners.portability.spark_runner',
        'apache_beam.runners.worker.sdk_worker_main',
        'apache_beam.utils.secret',
    )
    code = f'import {", ".join(modules)}; print("imported")'
    assert run(engine, image, 'python', '-c', code).split() == ['imported']


def test_pool_of_beam_workers_runs_as_deploy_flink_starts_it(engine: Engine, image: str) -> None:
    script = (
        'test -x /opt/reviews/components/beam_worker/boot.sh'
        ' && (timeout 30 python -m components.beam_worker pool --port 0 || true)'
    )
    assert 'The worker pool listens on 127.0.0.1:' in run(engine, image, 'sh', '-c', script)


def test_image_has_no_compiler(engine: Engine, image: str) -> None:
    script = 'for name in cc c++ gcc g++; do command -v $name; done; true'
    assert run(engine, image, 'sh', '-c', script) == ''


def test_image_has_the_code_but_neither_data_nor_tests(engine: Engine, image: str) -> None:
    assert run(engine, image, 'ls', '/opt/reviews').split() == [
        '__pycache__',
        'components',
        'pipeline',
        'pipeline_runner.py',
    ]
    named = ('-name', '*.md', '-or', '-name', '*.png')
    assert run(engine, image, 'find', '/opt/reviews', *named) == ''


def test_image_has_no_settings_of_this_machines_package_index(engine: Engine, image: str) -> None:
    config = json.loads(engine.run('inspect', '--type', 'image', image).stdout)[0]['Config']
    names = {variable.partition('=')[0] for variable in config['Env']}
    assert not {name for name in names if name.startswith(('PIP_', 'UV_', 'SSL_'))}
    if engine.shares_user_ids:
        root = pathlib.Path(engine.run('image', 'mount', image).stdout.strip())
        configuration = root / 'etc' / 'pip.conf'
        # A mount may leave the empty file that it needed.
        assert not configuration.exists() or configuration.stat().st_size == 0


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
