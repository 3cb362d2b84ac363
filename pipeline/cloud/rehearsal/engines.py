"""Runs the command of a step in a local process, or in a container of its image."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from components.common.errors import ConfigError, MissingDependencyError, StepFailedError
from components.common.module_command import module_command

Container = Mapping[str, Any]
EngineName = Literal['process', 'podman', 'docker']

_PROJECT = pathlib.Path(__file__).resolve().parents[3]
_TAIL_LINES = 15
_EXCEPTION = re.compile(r'[\w.]*(Error|Exception)\b(: .*)?')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of this machine, and its path in a container."""

    source: pathlib.Path
    target: str
    read_only: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProcessEngine:
    """Runs commands with this Python and this checkout instead of the image's.

    Attributes:
        module_folder: The folder of the user's module, which the image would contain; empty
            if there is none.
        in_container: Whether steps see mounts only, and run as another user.
    """

    module_folder: str = ''
    in_container: ClassVar[bool] = False

    def run(self, container: Container, *, mounts: Sequence[Mount], log: pathlib.Path) -> int:
        """Run a command to its end, and return its exit code.

        Args:
            container: `PipelineContainerSpec` without placeholders.
            mounts: What the step sees of this machine.
            log: The file that the output is appended to.
        """
        command = [*container['command'], *container['args']]
        if command[0] == 'python':
            is_module = command[1] == '-m'
            command = module_command(*command[2:]) if is_module else [sys.executable, *command[1:]]
        paths = [str(_PROJECT), self.module_folder, os.environ.get('PYTHONPATH', '')]
        variables = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
            # The output of a step that fails comes before its traceback.
            'PYTHONUNBUFFERED': '1',
            **_variables(container),
        }
        return _run(command, log, environment=variables)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """Runs each command in a new container, as the user that the image names.

    It has the methods of `ProcessEngine`.
    """

    program: Literal['podman', 'docker']
    in_container: ClassVar[bool] = True

    def command_line(
        self, container: Container, *, name: str, mounts: Sequence[Mount]
    ) -> list[str]:
        """Return the command that runs a container.

        As on Kubernetes, `command` replaces the entry point of the image, and
        `args` its command. `USER` of the image stays in force.
        """
        line = [self.program, 'run', '--rm', '--pull=never', f'--name={name}']
        for mount in mounts:
            mode = ':ro' if mount.read_only else ''
            line.append(f'--volume={mount.source}:{mount.target}{mode}')
        line += [f'--env={key}={value}' for key, value in _variables(container).items()]
        program, *words = container['command']
        line += [f'--entrypoint={program}', container['image']]
        return [*line, *words, *container['args']]

    def run(self, container: Container, *, mounts: Sequence[Mount], log: pathlib.Path) -> int:
        name = f'rehearsal-{uuid.uuid4().hex[:12]}'
        line = self.command_line(container, name=name, mounts=mounts)
        try:
            return _run(line, log, environment=os.environ)
        except BaseException:
            # The container is no child of this process. Kill it first: `rm --force` alone gives
            # it ten seconds to end.
            for action in (['kill', name], ['rm', '--force', name]):
                subprocess.run([self.program, *action], capture_output=True, check=False)
            raise


StepEngine = ProcessEngine | ContainerEngine


def make_step_engine(name: EngineName, image: str | None, module_folder: str = '') -> StepEngine:
    """Return the engine with that name.

    Args:
        name: What runs the commands of the steps.
        image: The image of the steps; a process needs none.
        module_folder: The folder of the user's module, for processes.

    Raises:
        ConfigError: If containers cannot run because the image is not on this machine.
        MissingDependencyError: If the engine is not installed.

    Example:
        >>> type(make_step_engine('process', None)).__name__
        'ProcessEngine'
    """
    if name == 'process':
        return ProcessEngine(module_folder=module_folder)
    hint = 'build one with make image, and pass --image IMAGE'
    if image is None:
        raise ConfigError(f'{name} runs the steps in containers, and needs an image', hint=hint)
    if shutil.which(name) is None:
        raise MissingDependencyError(
            f'{name} is not installed',
            hint='install it, or rehearse without --engine: the steps run as processes',
        )
    inspect = [name, 'image', 'inspect', image]
    inspected = subprocess.run(inspect, capture_output=True, text=True, check=False)
    if inspected.returncode:
        reason = (inspected.stderr.strip().splitlines() or [''])[-1]
        raise ConfigError(f'{name} has no image {image}: {reason}', hint=hint)
    return ContainerEngine(program=name)


def read_failure(title: str, code: int, log: pathlib.Path) -> StepFailedError:
    """Return the error for a command that failed, with the last lines of its log.

    Args:
        title: Name of the command.
        code: Its exit code, not 0.
        log: The file with its output.
    """
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    tail = [line for line in lines if line.strip() and not line.startswith('$ ')][-_TAIL_LINES:]
    raised = next((line for line in reversed(tail) if _EXCEPTION.fullmatch(line)), None)
    error = StepFailedError(
        f'{title} failed with exit code {code}{f": {raised}" if raised else ""}',
        hint='correct the error in its output; the step would fail on the cluster, too',
    )
    error.tail = tuple(tail)
    return error


def _variables(container: Container) -> dict[str, str]:
    return {pair['name']: pair.get('value', '') for pair in container.get('env', ())}


def _run(command: Sequence[str], log: pathlib.Path, *, environment: Mapping[str, str]) -> int:
    with open(log, 'ab') as output:
        output.write(f'$ {json.dumps(list(command), ensure_ascii=False)}\n'.encode())
        output.flush()
        return subprocess.call(
            command,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
