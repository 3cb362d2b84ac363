"""The container engine of this machine: Docker if it runs, else Debian's podman."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import filelock

BASE_IMAGE = 'python:3.11-slim-trixie'
# The user's number is part of the names, because several users may share an engine.
IMAGE = f'localhost/reviews:test-containers-{os.getuid()}'
LABEL = f'test-containers-{os.getuid()}'

_PODMAN = (
    'podman',
    'buildah',
    'fuse-overlayfs',
    'netavark',
    'aardvark-dns',
    'slirp4netns',
    'uidmap',
    'iptables',
)
# For a sandbox, whose kernel and network are not those of an ordinary machine. What it needs to
# reach a package index is mounted into containers, and is in no image.
_SANDBOX_SETTINGS = """
[containers]
netns = "host"
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
volumes = [{volumes}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_SANDBOX_MOUNTS = ('/etc/ssl/certs', '/etc/pip.conf')
_PARENT_FOLDER = pathlib.Path('/var/tmp')
_STORAGE_CONF = 'storage.conf'
_CLEANUP_SECONDS = 120.0


class EngineError(Exception):
    """A command of the engine failed, or there is no engine; the message says what to do."""


@dataclasses.dataclass
class Engine:
    """A container engine, used with its command line.

    Attributes:
        name: The command, `docker` or `podman`.
        folder: Folder for all files of the tests; it is removed at the end.
        env: Environment of the command.
    """

    name: str
    folder: pathlib.Path
    env: dict[str, str]

    def run(
        self, *args: str, check: bool = True, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine, and return its output.

        Raises:
            EngineError: If `check` is set and the command fails.
            subprocess.TimeoutExpired: If it takes more than `timeout` seconds.
        """
        done = subprocess.run(
            [self.name, *args],
            env=self.env,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise EngineError(f'{self.name} {" ".join(args)} failed: {done.stderr.strip()}')
        return done

    def run_visibly(self, *command: str, **kwargs: Any) -> None:
        """Run any command in the engine's environment, and show its output.

        Raises:
            EngineError: If the command fails.
        """
        done = subprocess.run(
            command, env=self.env, stdin=subprocess.DEVNULL, check=False, **kwargs
        )
        if done.returncode != 0:
            raise EngineError(
                f'{" ".join(command)} failed with exit code {done.returncode} (see above)'
            )

    @property
    def shares_user_ids(self) -> bool:
        """Whether a user in a container has the same number outside."""
        return self.name == 'podman' and os.geteuid() == 0

    def use_sandbox_settings(self) -> None:
        """Let podman run in a sandbox."""
        volumes = ', '.join(
            json.dumps(f'{path}:{path}:ro') for path in _SANDBOX_MOUNTS if os.path.exists(path)
        )
        path = self.folder / 'containers.conf'
        path.write_text(_SANDBOX_SETTINGS.format(volumes=volumes), encoding='utf-8')
        self.env['CONTAINERS_CONF'] = str(path)

    def remove_all(self) -> None:
        """Remove containers, images, mounts and files of the tests.

        Podman has a storage of its own here, which is removed. Docker keeps the
        base image that it pulled. A failure does not stop the other removals.

        Raises:
            EngineError: At the end, if anything could not be removed.
        """
        remove = functools.partial(self.run, timeout=_CLEANUP_SECONDS)
        # Calls the functions in reverse order, all of them.
        with contextlib.ExitStack() as removals:
            removals.callback(self._remove_folder)
            removals.callback(_unmount_folders, self.folder)
            removals.callback(_kill_processes, self.folder)
            if self.name == 'docker':
                removals.callback(remove, 'image', 'rm', '--force', IMAGE, check=False)
                removals.callback(self._remove_containers, f'ancestor={IMAGE}')
                removals.callback(self._remove_containers, f'label={LABEL}')
            # Without its storage, podman would remove the user's own containers.
            elif (self.folder / _STORAGE_CONF).exists():
                removals.callback(remove, 'rm', '--all', '--force', '--time', '0')

    def _remove_containers(self, which: str) -> None:
        listed = self.run('ps', '--all', '--quiet', '--filter', which, timeout=_CLEANUP_SECONDS)
        if listed.stdout:
            self.run('rm', '--force', *listed.stdout.split(), timeout=_CLEANUP_SECONDS)

    def _remove_folder(self) -> None:
        if not self.folder.exists():
            return
        command = ['rm', '-rf', str(self.folder)]
        # Files of users that exist in containers only belong to somebody else outside.
        rootless = self.name == 'podman' and os.geteuid() != 0
        done = subprocess.run(
            ['podman', 'unshare', *command] if rootless else command,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise EngineError(f'{self.folder} cannot be removed: {done.stderr.strip()}')


@contextlib.contextmanager
def prepare_engine() -> Iterator[Engine]:
    """Find or install an engine, and remove everything at the end.

    Yields:
        The engine, with a folder on a real disk: it may need 10 GB.

    Raises:
        EngineError: If there is no engine, or other tests use the folder.
    """
    folder = _PARENT_FOLDER / f'test-containers-{os.getuid()}'
    try:
        with filelock.FileLock(f'{folder}.lock', timeout=0):
            engine = _find_engine(folder)
            # An earlier run may have been killed.
            engine.remove_all()
            try:
                _make_folder(engine)
                yield engine
            finally:
                engine.remove_all()
    except filelock.Timeout as err:
        raise EngineError(f'other tests in containers use {folder}: let them end') from err


def say(line: str) -> None:
    """Print a line at once: pytest would show it only if a test fails."""
    print(f'containers: {line}', file=sys.__stderr__, flush=True)


def _find_engine(folder: pathlib.Path) -> Engine:
    env = dict(os.environ)
    docker = Engine('docker', folder, env)
    if shutil.which('docker') and docker.run('info', check=False).returncode == 0:
        say('the engine is Docker')
        return docker
    if shutil.which('podman') is None:
        install_packages(
            *_PODMAN,
            wanted='found no container engine: no Docker engine answers, and podman is not '
            'installed; install Docker, or podman',
        )
    say('the engine is podman: no Docker engine runs here')
    # A storage of its own can be removed as a whole. Without layers, podman does not write each
    # package twice.
    env.update(
        CONTAINERS_STORAGE_CONF=str(folder / _STORAGE_CONF),
        TMPDIR=str(folder / 'tmp'),
        BUILDAH_LAYERS='false',
    )
    return Engine('podman', folder, env)


def _make_folder(engine: Engine) -> None:
    (engine.folder / 'tmp').mkdir(parents=True)
    storage = f'driver = "overlay"\ngraphroot = "{engine.folder}/store"\n'
    storage += f'rootless_storage_path = "{engine.folder}/store"\nrunroot = "{engine.folder}/run"\n'
    (engine.folder / _STORAGE_CONF).write_text(f'[storage]\n{storage}')


def install_packages(*packages: str, wanted: str) -> None:
    """Install Debian's packages.

    Args:
        packages: Names of the packages.
        wanted: What is missing, for the message if they cannot be installed.

    Raises:
        EngineError: If this is not Debian, the user is not root, or apt-get fails.
    """
    command = f'apt-get install --no-install-recommends {" ".join(packages)}'
    if os.geteuid() != 0 or shutil.which('apt-get') is None:
        raise EngineError(f'{wanted}, on Debian, as root, with: {command}')
    say(f'installing from Debian: {" ".join(packages)}')
    env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    for step in (['apt-get', 'update', '-qq'], [*command.split(), '--yes', '-qq']):
        done = subprocess.run(
            step, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f'{" ".join(step)} failed:\n{done.stdout}')


def _kill_processes(folder: pathlib.Path, proc: pathlib.Path = pathlib.Path('/proc')) -> None:
    """Kill processes whose root is in the folder, which an interrupted build leaves."""
    for mounts in proc.glob('[0-9]*/mountinfo'):
        # Some processes belong to others, or have ended.
        with contextlib.suppress(OSError):
            for line in mounts.read_text(encoding='utf-8').splitlines():
                if line.split()[4] == '/' and f'={folder}/' in line:
                    os.kill(int(mounts.parent.name), signal.SIGKILL)


def _unmount_folders(folder: pathlib.Path) -> None:
    """Unmount what a killed build or container left mounted in the folder."""
    if os.geteuid() != 0 or not folder.exists():
        return
    lines = pathlib.Path('/proc/self/mountinfo').read_text(encoding='utf-8').splitlines()
    for point in reversed([line.split()[4] for line in lines]):
        if folder in pathlib.Path(point).parents:
            subprocess.run(['umount', '--lazy', point], capture_output=True, check=False)
