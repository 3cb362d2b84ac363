"""The container engine of this machine: Docker where it runs, or else Debian's podman."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

BASE_IMAGE = 'python:3.11-slim-trixie'

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

# For machines that reach no registry: sandboxes, mostly, whose kernel and network are their own.
# What they need to reach a package index is mounted into containers, and gets into no image.
_SANDBOX = """
[containers]
netns = "host"
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
volumes = [{volumes}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE_CONF = 'storage.conf'
_SANDBOX_MOUNTS = ('/etc/ssl/certs', '/etc/pip.conf')


class EngineError(Exception):
    """No engine, or it did not do what it was asked; the message says what to do."""


@dataclasses.dataclass
class Engine:
    """A container engine, used through its command and its API.

    Attributes:
        name: The command, `docker` or `podman`.
        folder: Where all is kept that goes again.
        env: The environment of the command.
    """

    name: str
    folder: pathlib.Path
    env: dict[str, str]

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine and return what it printed.

        Raises:
            EngineError: If `check` is set and it failed.
        """
        done = subprocess.run(
            [self.name, *args], env=self.env, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise EngineError(f'{self.name} {" ".join(args)} failed: {done.stderr.strip()}')
        return done

    def run_visibly(self, *command: str, **kwargs: object) -> None:
        """Run any command in the engine's environment, its output going where ours goes.

        Raises:
            EngineError: If it failed.
        """
        if subprocess.run(command, env=self.env, check=False, **kwargs).returncode != 0:  # type: ignore[call-overload]
            raise EngineError(f'{" ".join(command)} failed (see above)')

    @property
    def shares_user_ids(self) -> bool:
        """Whether a user of a container is the one of that number outside."""
        return self.name == 'podman' and os.geteuid() == 0

    @contextlib.contextmanager
    def api(self) -> Iterator[dict[str, str]]:
        """Serve Docker's API; yield an environment in which its clients find it."""
        if self.name == 'docker':
            yield self.env
            return
        socket = self.folder / 'api.sock'
        address = f'unix://{socket}'
        # Should nobody be left to end it, it ends by itself.
        service = subprocess.Popen(
            ['podman', 'system', 'service', '--time=300', address], env=self.env
        )
        try:
            deadline = time.monotonic() + 30
            while not socket.exists():
                if service.poll() is not None or time.monotonic() > deadline:
                    raise EngineError(f'podman system service does not serve {address}')
                time.sleep(0.1)
            yield {**self.env, 'DOCKER_HOST': address}
        finally:
            service.terminate()
            service.wait(timeout=30)
            socket.unlink(missing_ok=True)

    def remove_all(self, image: str, label: str) -> None:
        """Remove the containers with this label, this image, and with podman all it stored."""
        # Without its storage, podman would look into the user's own.
        if self.name == 'docker' or (self.folder / _STORAGE_CONF).exists():
            left = self.run('ps', '--all', '--quiet', '--filter', f'label={label}').stdout.split()
            if left:
                self.run('rm', '--force', *left)
        if self.name == 'docker':
            self.run('rmi', '--force', image, check=False)
        _unmount_below(self.folder)
        _remove_tree(self.folder, rootless=self.name == 'podman' and os.geteuid() != 0)

    def use_sandbox_settings(self) -> None:
        """Make podman work where the kernel and the network are not a usual machine's."""
        if self.name != 'podman':
            return
        volumes = ', '.join(
            json.dumps(f'{path}:{path}:ro') for path in _SANDBOX_MOUNTS if os.path.exists(path)
        )
        (self.folder / 'containers.conf').write_text(_SANDBOX.format(volumes=volumes))
        self.env['CONTAINERS_CONF'] = str(self.folder / 'containers.conf')


@contextlib.contextmanager
def prepared_engine(image: str, label: str) -> Iterator[Engine]:
    """Find or install an engine, and leave nothing behind at the end, whatever ends it.

    Args:
        image: The name of the image that is made.
        label: Of the containers that are made.

    Yields:
        The engine, with a folder of its own on a real disk: it may need 10 GB.

    Raises:
        EngineError: If there is none, or two of us would use one folder.
    """
    folder = pathlib.Path('/var/tmp') / f'test-containers-{os.getuid()}'
    with open(f'{folder}.lock', 'w', encoding='utf-8') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise EngineError(f'another test-containers uses {folder}: let it end') from err
        engine = _find_engine(folder)
        # Another run of ours may have been killed before it could.
        engine.remove_all(image, label)
        _make_folder(engine)
        try:
            yield engine
        finally:
            engine.remove_all(image, label)
            pathlib.Path(lock.name).unlink()


def say(line: str) -> None:
    """Tell what is being done; it may take minutes."""
    # Not pytest's, which would only show it where a test fails.
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
            wanted='no container engine: no Docker engine answers, and podman is not installed;'
            ' install Docker, or podman',
        )
    say('the engine is podman: no Docker engine runs here')
    # Storage of its own, so that removing it removes all that was made, and nothing else.
    # Without layers it does not write each package twice.
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
        packages: Their names.
        wanted: What is missing and why it is needed, to say where they cannot be installed.

    Raises:
        EngineError: If this is no Debian, the user is not root, or it fails.
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


def _unmount_below(folder: pathlib.Path) -> None:
    """Free the folder of what a build or a container that was killed left mounted."""
    if os.geteuid() != 0 or not folder.exists():
        return
    lines = pathlib.Path('/proc/self/mountinfo').read_text(encoding='utf-8').splitlines()
    for point in reversed([line.split()[4] for line in lines]):
        if folder in pathlib.Path(point).parents:
            subprocess.run(['umount', '--lazy', point], capture_output=True, check=False)


def _remove_tree(folder: pathlib.Path, *, rootless: bool) -> None:
    if not folder.exists():
        return
    command = ['rm', '-rf', str(folder)]
    # Files of users that only exist in containers are not ours outside.
    done = subprocess.run(
        ['podman', 'unshare', *command] if rootless else command,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(f'{folder} cannot be removed: {done.stderr.strip()}')
