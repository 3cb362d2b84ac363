"""Runs the command of a step in a local process, or in a container of its image."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
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
_NOT_FOUND = 127
_TERMINATION_SECONDS = 2  # an interrupted command must end within 5 s
_TAIL_LINES = 15
_EXCEPTION = re.compile(r'[\w.]*(Error|Exception)\b(: .*)?')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of this machine, and its path in a container."""

    source: pathlib.Path
    target: str
    read_only: bool = False


class ProcessEngine:
    """Runs commands with this Python and this checkout instead of the image's.

    Attributes:
        needs_open_folders: Whether steps run as a user who owns no folder of this machine.
    """

    needs_open_folders: ClassVar[bool] = False

    def prepare(self, images: Sequence[str]) -> None:
        """Accept all images: none is used."""

    def path_of(self, mount: Mount) -> str:
        """Return where a step finds a mount."""
        return str(mount.source)

    def run(
        self,
        container: Container,
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        """Run a command to its end, and return its exit code.

        Args:
            container: `PipelineContainerSpec` without placeholders.
            environment: Variables in addition to those of the container.
            mounts: What the step sees of this machine.
            log: The file that the output is appended to.
        """
        command = [*container.get('command', ()), *container.get('args', ())]
        if command[0] in ('python', 'python3'):
            command = _with_this_python(command[1:])
        paths = [str(_PROJECT), os.environ.get('PYTHONPATH', '')]
        variables = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
            # The output of a step that fails comes before its traceback.
            'PYTHONUNBUFFERED': '1',
            **_variables(container),
            **environment,
        }
        return _run(command, log, environment=variables)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """Runs each command in a new container, as the user that the image names.

    It has the methods of `ProcessEngine`.
    """

    program: Literal['podman', 'docker']
    needs_open_folders: ClassVar[bool] = True

    def prepare(self, images: Sequence[str]) -> None:
        """Check that containers of these images can run.

        Raises:
            MissingDependencyError: If the engine is not installed.
            ConfigError: If an image is not on this machine.
        """
        for image in images:
            try:
                done = subprocess.run(
                    [self.program, 'image', 'inspect', image],
                    capture_output=True,
                    text=True,
                    check=False,
                )
            except FileNotFoundError as err:
                raise MissingDependencyError(
                    f'{self.program} is not installed',
                    hint='install it, or rehearse without --engine: the steps run as processes',
                ) from err
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or [''])[-1]
                raise ConfigError(
                    f'{self.program} has no image {image}: {reason}',
                    hint='build it with make image, or name another one with --image',
                )

    def path_of(self, mount: Mount) -> str:
        return mount.target

    def command_line(
        self,
        container: Container,
        *,
        name: str,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
    ) -> list[str]:
        """Return the command that runs a container.

        As on Kubernetes, `command` replaces the entry point of the image, and
        `args` its command. `USER` of the image stays in force.
        """
        line = [self.program, 'run', '--rm', '--pull=never', f'--name={name}']
        for mount in mounts:
            mode = ':ro' if mount.read_only else ''
            line.append(f'--volume={mount.source}:{mount.target}{mode}')
        for key, value in {**_variables(container), **environment}.items():
            line.append(f'--env={key}={value}')
        command = list(container.get('command', ()))
        if command:
            line.append(f'--entrypoint={command[0]}')
        return [*line, container['image'], *command[1:], *container.get('args', ())]

    def run(
        self,
        container: Container,
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        name = f'rehearsal-{uuid.uuid4().hex[:12]}'
        line = self.command_line(container, name=name, environment=environment, mounts=mounts)
        try:
            return _run(line, log, environment=os.environ)
        except BaseException:
            # The container is no child of this process. Kill it first: `rm --force` alone gives
            # it ten seconds to end.
            for action in (['kill', name], ['rm', '--force', name]):
                subprocess.run([self.program, *action], capture_output=True, check=False)
            raise


StepEngine = ProcessEngine | ContainerEngine


def make_step_engine(name: EngineName) -> StepEngine:
    """Return the engine with that name.

    >>> make_step_engine('podman')
    ContainerEngine(program='podman')
    """
    return ProcessEngine() if name == 'process' else ContainerEngine(program=name)


def read_failure(what: str, code: int, log: pathlib.Path) -> StepFailedError:
    """Return the error for a command that failed, with the last lines of its log.

    Args:
        what: Name of the command.
        code: Its exit code, not 0.
        log: The file with its output.
    """
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    tail = [line for line in lines if line.strip() and not line.startswith('$ ')][-_TAIL_LINES:]
    raised = next((line for line in reversed(tail) if _EXCEPTION.fullmatch(line)), None)
    error = StepFailedError(
        f'{what} failed with exit code {code}{f": {raised}" if raised else ""}',
        hint='it would fail on the cluster as well',
    )
    error.tail = tuple(tail)
    return error


def _with_this_python(args: Sequence[str]) -> list[str]:
    if list(args[:1]) == ['-m'] and len(args) > 1:
        return module_command(*args[1:])
    return [sys.executable, *args]


def _variables(container: Container) -> dict[str, str]:
    return {pair['name']: pair.get('value', '') for pair in container.get('env', ())}


def _run(command: Sequence[str], log: pathlib.Path, *, environment: Mapping[str, str]) -> int:
    with open(log, 'ab') as output:
        output.write(f'$ {json.dumps(list(command), ensure_ascii=False)}\n'.encode())
        output.flush()
        try:
            process = subprocess.Popen(
                list(command),
                cwd=log.parent,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as err:
            output.write(f'{command[0]}: {err.strerror or err}\n'.encode())
            return _NOT_FOUND
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(timeout=_TERMINATION_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
