"""Where a step's command runs: as a process here, or in a container of its image."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from components.common.errors import ConfigError, MissingDependencyError
from components.common.module_command import module_command

EngineName = Literal['process', 'podman', 'docker']

_PROJECT = pathlib.Path(__file__).resolve().parents[3]
_PYTHONS = ('python', 'python3')
_NOT_FOUND = 127
_ENDING_SECONDS = 2  # a command that is interrupted ends within 5



@dataclasses.dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of this machine, and where a step finds it on the cluster."""

    source: pathlib.Path
    target: str
    read_only: bool = False


class Engine(Protocol):
    """Runs commands."""

    @property
    def needs_open_folders(self) -> bool:
        """Whether steps run as a user who owns nothing here."""

    def prepare(self, images: Sequence[str]) -> None:
        """Check that steps of these images can be run.

        Raises:
            ReviewsError: If not.
        """

    def path_of(self, mount: Mount) -> str:
        """Return where a step finds what is mounted."""

    def run(
        self,
        container: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        """Run a command to its end, its output appended to `log`; return its exit code.

        Args:
            container: A `PipelineContainerSpec` without placeholders.
            environment: Variables beside those that the container names.
            mounts: What the step sees of this machine.
            log: Gets what the command prints.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProcessEngine:
    """Runs commands with this Python and this checkout in place of the image's."""

    needs_open_folders: Literal[False] = False

    def prepare(self, images: Sequence[str]) -> None:
        """Need nothing."""

    def path_of(self, mount: Mount) -> str:
        """Return the path here."""
        return str(mount.source)

    def run(
        self,
        container: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        """Run the command as a child of this process."""
        command = [*container.get('command', ()), *container.get('args', ())]
        if command[0] in _PYTHONS:
            command = _of_this_python(command[1:])
        paths = [str(_PROJECT), os.environ.get('PYTHONPATH', '')]
        return _run(
            command,
            log,
            cwd=log.parent,
            environment={
                **os.environ,
                'PYTHONPATH': os.pathsep.join(path for path in paths if path),
                # What a step printed before it failed stands before its traceback.
                'PYTHONUNBUFFERED': '1',
                **_environment(container),
                **environment,
            },
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """Runs each command in a container of its own, as the image's user."""

    program: Literal['podman', 'docker']
    needs_open_folders: Literal[True] = True

    def prepare(self, images: Sequence[str]) -> None:
        """Check that the program is here, and the images.

        Raises:
            MissingDependencyError: If the program is not installed.
            ConfigError: If an image is not on this machine.
        """
        if shutil.which(self.program) is None:
            raise MissingDependencyError(
                f'{self.program} is not installed',
                hint='install it, or rehearse without --engine: the steps then run as processes',
            )
        for image in images:
            # The exit code tells what is wrong: 1, the image; anything else, the engine.
            done = subprocess.run(
                [self.program, 'image', 'inspect', image],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or [''])[-1]
                raise ConfigError(
                    f'{self.program} has no image {image}: {reason}',
                    hint='build it with make image, or name it with --image',
                )

    def path_of(self, mount: Mount) -> str:
        """Return the path in the container."""
        return mount.target

    def command_line(
        self,
        container: Mapping[str, Any],
        *,
        name: str,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
    ) -> list[str]:
        """Return the command that runs a container.

        As on Kubernetes, `command` takes the place of the image's entry point,
        and `args` of its command; `USER` of the image stays in force.
        """
        line = [self.program, 'run', '--rm', '--pull=never', f'--name={name}']
        for mount in mounts:
            mode = ':ro' if mount.read_only else ''
            line.append(f'--volume={mount.source}:{mount.target}{mode}')
        for key, value in {**_environment(container), **environment}.items():
            line.append(f'--env={key}={value}')
        command = list(container.get('command', ()))
        if command:
            line.append(f'--entrypoint={command[0]}')
        return [*line, container['image'], *command[1:], *container.get('args', ())]

    def run(
        self,
        container: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        """Run the command in a container, which is gone afterwards."""
        name = f'rehearsal-{uuid.uuid4().hex[:12]}'
        line = self.command_line(container, name=name, environment=environment, mounts=mounts)
        try:
            return _run(line, log, cwd=log.parent, environment=os.environ)
        except BaseException:
            self._remove(name)
            raise

    def _remove(self, name: str) -> None:
        # The container is no child of this process, and would live on. `rm --force` alone gives
        # it ten seconds to end by itself.
        for action in (['kill', name], ['rm', '--force', name]):
            subprocess.run([self.program, *action], capture_output=True, check=False)


def make_engine(name: EngineName) -> Engine:
    """Make the engine of that name."""
    if name == 'process':
        return ProcessEngine()
    return ContainerEngine(program=name)


def _of_this_python(args: Sequence[str]) -> list[str]:
    if list(args[:1]) == ['-m'] and len(args) > 1:
        return module_command(*args[1:])
    return [sys.executable, *args]


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {pair['name']: pair.get('value', '') for pair in container.get('env', ())}


def _run(
    command: Sequence[str],
    log: pathlib.Path,
    *,
    cwd: pathlib.Path,
    environment: Mapping[str, str],
) -> int:
    with open(log, 'ab') as output:
        output.write(f'$ {json.dumps(list(command), ensure_ascii=False)}\n'.encode())
        output.flush()
        try:
            process = subprocess.Popen(
                list(command),
                cwd=cwd,
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
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
