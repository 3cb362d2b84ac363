"""A command runs as a process, or in a container as on a cluster."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

from components.common.errors import ConfigError, MissingDependencyError
from pipeline.cloud.rehearsal.engines import (
    ContainerEngine,
    Mount,
    ProcessEngine,
    make_step_engine,
)


def run_process(folder: pathlib.Path, *args: str) -> tuple[int, str]:
    log = folder / 'step.log'
    variables = [{'name': 'COLOR', 'value': 'red'}, {'name': 'EMPTY'}]
    container = {'image': 'image:1', 'command': ['python'], 'args': [*args], 'env': variables}
    code = ProcessEngine().run(container, mounts=[], log=log)
    return code, log.read_text()


def test_process_has_this_python_the_project_and_its_variables(tmp_path: pathlib.Path) -> None:
    script = (
        'import os, sys, components.common.errors\n'
        'print(os.environ["COLOR"], repr(os.environ["EMPTY"]), os.getcwd(), sys.executable)'
    )
    code, log = run_process(tmp_path, '-c', script)
    assert code == 0
    assert log.splitlines()[-1] == f"red '' {tmp_path} {sys.executable}"


def test_module_is_the_projects_when_the_current_folder_has_one_of_that_name(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'components').mkdir()
    (tmp_path / 'components' / '__init__.py').write_text('raise SystemExit("not ours")')
    code, log = run_process(tmp_path, '-m', 'components.common.entry_point', '--help')
    assert '--json_serialized_invocation_args' in log
    assert code == 0


def test_exit_code_is_returned_and_both_streams_are_in_the_log(tmp_path: pathlib.Path) -> None:
    script = 'import sys; print("out"); print("err", file=sys.stderr); sys.exit(7)'
    code, log = run_process(tmp_path, '-c', script)
    assert code == 7
    assert {'out', 'err'} <= set(log.splitlines())


def test_container_runs_as_on_kubernetes(tmp_path: pathlib.Path) -> None:
    container = {
        'image': 'reviews:1',
        'command': ['python', '-m', 'components.common.entry_point'],
        'args': ['--x', '{"a": 1}'],
        'env': [{'name': 'COLOR', 'value': 'red'}],
    }
    mounts = [
        Mount(source=tmp_path / 'minio', target='/minio'),
        Mount(source=tmp_path / 'data', target='/data', read_only=True),
    ]
    # Without --user, so that the user of the image stays in force.
    assert ContainerEngine(program='podman').command_line(
        container, name='rehearsal-1', mounts=mounts
    ) == [
        'podman',
        'run',
        '--rm',
        '--pull=never',
        '--name=rehearsal-1',
        f'--volume={tmp_path}/minio:/minio',
        f'--volume={tmp_path}/data:/data:ro',
        '--env=COLOR=red',
        '--entrypoint=python',
        'reviews:1',
        '-m',
        'components.common.entry_point',
        '--x',
        '{"a": 1}',
    ]


@pytest.fixture
def fake_podman(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace podman by a script that has the image `here:1`, and whose containers fail."""
    path = tmp_path / 'podman'
    path.write_text(
        '#!/bin/sh\n'
        '[ "$1 $3" = "image here:1" ] && exit\n'
        '[ "$1" = image ] && echo "Error: no such image $3" >&2 && exit 1\n'
        'echo "$@"; exit 3\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')


@pytest.mark.usefixtures('fake_podman')
def test_image_must_be_on_this_machine() -> None:
    assert make_step_engine('podman', 'here:1') == ContainerEngine(program='podman')
    with pytest.raises(ConfigError, match='podman has no image away:1: .*no such image away:1'):
        make_step_engine('podman', 'away:1')


def test_image_is_needed_when_steps_run_in_containers() -> None:
    with pytest.raises(ConfigError, match='podman runs the steps in containers, and needs an im'):
        make_step_engine('podman', None)


def test_engine_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '')
    with pytest.raises(MissingDependencyError, match='docker is not installed'):
        make_step_engine('docker', 'here:1')


@pytest.mark.usefixtures('fake_podman')
def test_exit_code_and_output_of_a_container_are_kept(tmp_path: pathlib.Path) -> None:
    container = {'image': 'reviews:1', 'command': ['python'], 'args': ['--x']}
    log = tmp_path / 'step.log'
    assert ContainerEngine(program='podman').run(container, mounts=[], log=log) == 3
    assert log.read_text().splitlines()[-1].endswith('reviews:1 --x')
