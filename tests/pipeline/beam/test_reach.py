"""A runner is refused where it could not work, before anything is written."""

from __future__ import annotations

import pathlib
import socket
from typing import Literal

import pytest

from components.common.errors import ConfigError
from pipeline.beam.reach import require_listening, require_usable
from tests.conftest import SAMPLE, run_command
from tests.pipeline.settings.test_beam import COMPLETE, DATAFLOW, FLINK, PORTABLE, SPARK, config

TARGETS: tuple[Literal['vertex', 'kubeflow'], ...] = ('vertex', 'kubeflow')
GS = 'gs://bucket/data/*.csv'
EXTERNAL = ('portable.environment=EXTERNAL', 'portable.environment_config=localhost:50000')


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize(
    'settings',
    [(), DATAFLOW, COMPLETE['flink'], COMPLETE['spark'], (*PORTABLE, *EXTERNAL)],
)
def test_a_runner_is_usable_when_a_step_can_reach_it(
    target: Literal['vertex', 'kubeflow'], settings: tuple[str, ...]
) -> None:
    require_usable(config(*settings).beam, target, data=GS)


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize(
    ('settings', 'data', 'message'),
    [
        (COMPLETE['portable'], GS, 'LOOPBACK is for workers on the same machine'),
        (('runner=portable', 'portable.job_endpoint=localhost:1', *EXTERNAL), GS, 'localhost:1'),
        (('runner=portable', 'portable.job_endpoint=127.0.0.2:1', *EXTERNAL), GS, '127.0.0.2:1'),
        (
            (*FLINK, 'flink.master=http://localhost:8081', 'flink.job_server_jar=/a.jar'),
            GS,
            'localhost:8081',
        ),
        (
            (*SPARK, 'spark.rest_url=http://[::1]:6066', 'spark.job_server_jar=/a.jar'),
            GS,
            '::1:6066',
        ),
        ((*COMPLETE['flink'], 'flink.setup_file=setup.py'), GS, 'the code is that of an image'),
        (DATAFLOW, '/mnt/reviews/*.csv', 'Dataflow cannot see the data'),
        ((*DATAFLOW, 'args=["--projekt=p"]'), GS, 'no option --projekt'),
    ],
)
def test_a_runner_is_refused_when_a_step_could_not_use_it(
    target: Literal['vertex', 'kubeflow'], settings: tuple[str, ...], data: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        require_usable(config(*settings).beam, target, data=data)


def test_dataflow_is_refused_when_artifacts_are_on_this_machine(tmp_path: pathlib.Path) -> None:
    settings = [part for setting in DATAFLOW[1:] for part in ('--set', f'beam.{setting}')]
    args = ('run', '--data', str(SAMPLE), '--beam-runner', 'dataflow', *settings)
    done = run_command(*args, cwd=tmp_path)
    assert (done.code, done.out) == (2, '')
    assert 'submit --target vertex' in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_setup_file_is_refused_when_it_is_not_there(tmp_path: pathlib.Path) -> None:
    beam = config(*COMPLETE['portable'], f'portable.setup_file={tmp_path}/setup.py').beam
    with pytest.raises(ConfigError, match='there is no file'):
        require_usable(beam, 'local')


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        ((*FLINK, 'flink.master=http://flink:8081'), 'flink.job_server_jar'),
        ((*SPARK, 'spark.rest_url=http://spark:6066'), 'spark.job_server_jar'),
    ],
)
def test_a_jar_is_refused_when_it_is_not_there(
    settings: tuple[str, ...], name: str, tmp_path: pathlib.Path
) -> None:
    jar = tmp_path / 'server.jar'
    beam = config(*settings, f'{name}={jar}').beam
    with pytest.raises(ConfigError, match=f'^beam.{name}: there is no file .*server.jar'):
        require_usable(beam, 'local')
    jar.touch()
    require_usable(beam, 'local')
    # Beam fetches those; and on a service, the file is in the image.
    require_usable(config(*settings, f'{name}=https://example.com/server.jar').beam, 'local')
    require_usable(config(*settings, f'{name}=/opt/server.jar').beam, 'kubeflow', data=GS)


def test_a_service_is_looked_for_when_the_run_needs_one(tmp_path: pathlib.Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        endpoint = f'127.0.0.1:{server.getsockname()[1]}'
        settings = ('runner=portable', f'portable.job_endpoint={endpoint}')
        require_listening(config(*settings, 'portable.environment=LOOPBACK').beam)
    args = ('run', '--data', str(SAMPLE), '--beam-runner', 'portable')
    args += ('--set', f'beam.portable.job_endpoint={endpoint}')
    done = run_command(*args, '--set', 'beam.portable.environment=LOOPBACK', cwd=tmp_path)
    assert (done.code, done.out) == (7, '')
    assert f'cannot be reached at {endpoint}' in done.err
    assert list(tmp_path.iterdir()) == []
