"""A command runs as a process, or in a container as on a cluster."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

from components.common.errors import ConfigError, MissingDependencyError
from pipeline.cloud.rehearsal.step_engines import (
    ContainerEngine,
    Mount,
    ProcessEngine,
)


def _mounts(tmp_path: pathlib.Path) -> list[Mount]:
    return [
        Mount(source=tmp_path / 'minio', target='/minio'),
        Mount(source=tmp_path / 'data', target='/data', read_only=True),
    ]


def _process(tmp_path: pathlib.Path, command: list[str], **environment: str) -> tuple[int, str]:
    log = tmp_path / 'step.log'
    container = {
        'image': 'image:1',
        'command': command[:1],
        'args': command[1:],
        'env': [{'name': 'COLOUR', 'value': 'red'}, {'name': 'EMPTY'}],
    }
    code = ProcessEngine().run(container, environment=environment, mounts=[], log=log)
    return code, log.read_text()


def test_process_runs_with_this_python(tmp_path: pathlib.Path) -> None:
    code, log = _process(tmp_path, ['python', '-c', 'import sys; print(sys.executable)'])
    assert code == 0
    assert log.splitlines()[1] == sys.executable


def test_process_imports_the_project_and_has_its_environment(tmp_path: pathlib.Path) -> None:
    script = (
        'import os, pathlib, components.common.errors\n'
        'print(os.environ["COLOUR"], repr(os.environ["EMPTY"]), os.environ["SIZE"], os.getcwd())'
    )
    code, log = _process(tmp_path, ['python3', '-c', script], SIZE='big')
    assert code == 0
    assert log.splitlines()[-1] == f"red '' big {tmp_path}"


def test_module_is_the_projects_when_the_current_folder_has_one_of_that_name(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'components').mkdir()
    (tmp_path / 'components' / '__init__.py').write_text('raise SystemExit("not ours")')
    command = ['python', '-m', 'components.common.entry_point', '--help']
    code, log = _process(tmp_path, command)
    assert '--json_serialized_invocation_args' in log
    assert code == 0


def test_exit_code_is_returned_and_both_streams_are_in_the_log(tmp_path: pathlib.Path) -> None:
    script = 'import sys; print("out"); print("err", file=sys.stderr); sys.exit(7)'
    code, log = _process(tmp_path, ['python', '-c', script])
    assert code == 7
    assert {'out', 'err'} <= set(log.splitlines())


def test_exit_code_is_127_when_the_program_does_not_exist(tmp_path: pathlib.Path) -> None:
    code, log = _process(tmp_path, ['no-such-program'])
    assert code == 127
    assert 'no-such-program: No such file or directory' in log


def test_mount_is_at_its_source_in_a_process_and_at_its_target_in_a_container(
    tmp_path: pathlib.Path,
) -> None:
    (mount, _) = _mounts(tmp_path)
    assert ProcessEngine().path_of(mount) == str(tmp_path / 'minio')
    assert ContainerEngine(program='podman').path_of(mount) == '/minio'


@pytest.mark.parametrize('program', ['podman', 'docker'])
def test_container_runs_as_on_kubernetes(tmp_path: pathlib.Path, program: str) -> None:
    line = ContainerEngine(program=program).command_line(  # type: ignore[arg-type]
        {
            'image': 'reviews:1',
            'command': ['python', '-m', 'components.common.entry_point'],
            'args': ['--x', '{"a": 1}'],
            'env': [{'name': 'COLOUR', 'value': 'red'}],
        },
        name='rehearsal-1',
        environment={'SIZE': 'big'},
        mounts=_mounts(tmp_path),
    )
    assert line == [
        program,
        'run',
        '--rm',
        '--pull=never',
        '--name=rehearsal-1',
        f'--volume={tmp_path}/minio:/minio',
        f'--volume={tmp_path}/data:/data:ro',
        '--env=COLOUR=red',
        '--env=SIZE=big',
        '--entrypoint=python',
        'reviews:1',
        '-m',
        'components.common.entry_point',
        '--x',
        '{"a": 1}',
    ]
    assert not any(word.startswith(('--user', '-u')) for word in line)


def test_container_keeps_the_entry_point_of_its_image_when_there_is_no_command() -> None:
    line = ContainerEngine(program='podman').command_line(
        {'image': 'reviews:1', 'args': ['--x']}, name='n', environment={}, mounts=[]
    )
    assert line[-2:] == ['reviews:1', '--x']
    assert not any(word.startswith('--entrypoint') for word in line)


def _fake_podman(folder: pathlib.Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / 'podman'
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')


def test_image_must_be_on_this_machine(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[ "$3" = here:1 ] || { echo "Error: no such image $3" >&2; exit 1; }'
    _fake_podman(tmp_path, script, monkeypatch)
    engine = ContainerEngine(program='podman')
    engine.prepare(['here:1'])
    with pytest.raises(ConfigError, match='podman has no image away:1: .*no such image away:1'):
        engine.prepare(['here:1', 'away:1'])


def test_engine_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '')
    with pytest.raises(MissingDependencyError, match='docker is not installed'):
        ContainerEngine(program='docker').prepare(['here:1'])


def test_exit_code_and_output_of_a_container_are_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_podman(tmp_path, 'echo "$@"; exit 3', monkeypatch)
    log = tmp_path / 'step.log'
    code = ContainerEngine(program='podman').run(
        {'image': 'reviews:1', 'args': ['--x']}, environment={}, mounts=[], log=log
    )
    assert code == 3
    assert log.read_text().splitlines()[-1].endswith('reviews:1 --x')
