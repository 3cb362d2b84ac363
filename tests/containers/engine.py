"""The container engine of this machine: Docker where it runs, or else Debian's podman."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from components.common.errors import ComponentError, MissingDependencyError
from tests.containers import ending

BASE_IMAGE = 'python:3.11-slim-trixie'
# What is made is named by its user, who alone removes it: an engine may serve many. And as an
# engine stores the name: kfp pulls an image that is not called just so.
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
_PLACE = pathlib.Path('/var/tmp')
_STORAGE_CONF = 'storage.conf'
_MADE = 'made.json'
_SANDBOX_MOUNTS = ('/etc/ssl/certs', '/etc/pip.conf')
# The stage of the Dockerfile whose image has no name.
_STAGE = 'reviews.stage=packages'
_REMOVING_SECONDS = 120.0


class EngineError(Exception):
    """The engine did not do what it was asked; the message says what to do.

    Attributes:
        exit_code: What a program returns to the shell.
    """

    exit_code = ComponentError.exit_code


class NotInstalledError(EngineError):
    """There is no engine, or none of what an image is made with."""

    exit_code = MissingDependencyError.exit_code


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

    def run(
        self, *args: str, check: bool = True, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine and return what it printed.

        Raises:
            EngineError: If `check` is set and it failed.
            subprocess.TimeoutExpired: If it takes longer than so many seconds.
        """
        output = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
        done = ending.run([self.name, *args], timeout=timeout, env=self.env, **output)
        if check and done.returncode != 0:
            raise EngineError(f'{self.name} {" ".join(args)} failed: {done.stderr.strip()}')
        return done

    def run_visibly(self, *command: str, **kwargs: object) -> None:
        """Run any command in the engine's environment, its output going where ours goes.

        Raises:
            EngineError: If it failed.
        """
        if ending.run(command, env=self.env, **kwargs).returncode != 0:
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
        serve = ['podman', 'system', 'service', '--time=300', address]
        with ending.started(serve, env=self.env) as service:
            try:
                deadline = time.monotonic() + 300
                while not socket.exists():
                    if service.poll() is not None or time.monotonic() > deadline:
                        raise EngineError(f'podman system service does not serve {address}')
                    time.sleep(0.1)
                yield {**self.env, 'DOCKER_HOST': address}
            finally:
                ending.end_all(service)
                socket.unlink(missing_ok=True)

    def has(self, image: str) -> bool:
        """Whether an image of this name is stored."""
        inspect = ('image', 'inspect', image)
        return self.run(*inspect, check=False, timeout=_REMOVING_SECONDS).returncode == 0

    def note_base_is_ours(self) -> None:
        """Note that the base image was not there before, and goes again at the end."""
        self._note(base=True)

    def note_stages(self) -> None:
        """Note which stages of builds are stored already, and stay."""
        if self.name == 'docker':
            self._note(stages=self._stages())

    def _note(self, **facts: object) -> None:
        # On the disk, because the one who removes may be the next, when this one was killed.
        (self.folder / _MADE).write_text(json.dumps({**self._noted(), **facts}), encoding='utf-8')

    def _noted(self) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads((self.folder / _MADE).read_text(encoding='utf-8'))
        except (FileNotFoundError, ValueError):
            return {}
        return noted

    def _stages(self) -> list[str]:
        filters = ['--filter=dangling=true', f'--filter=label={_STAGE}']
        listed = self.run('images', '--quiet', '--no-trunc', *filters, timeout=_REMOVING_SECONDS)
        return listed.stdout.split()

    def remove_all(self, image: str, label: str) -> None:
        """Remove what was made: containers, images, mounts, and with podman all it stored.

        What cannot be removed keeps nothing else from it.

        Args:
            image: The name of the image that was made.
            label: Of the containers.

        Raises:
            EngineError: At the end, if something could not be removed.
        """
        rootless = self.name == 'podman' and os.geteuid() != 0
        steps: list[Callable[[], None]] = [
            functools.partial(_kill_below, self.folder),
            functools.partial(_unmount_below, self.folder),
            functools.partial(_remove_tree, self.folder, rootless=rootless),
        ]
        if self.name == 'docker':
            filters = (f'label={label}', f'ancestor={image}')
            steps = [
                *(functools.partial(self._remove_containers, each) for each in filters),
                functools.partial(self._remove_images, image),
                *steps,
            ]
        # Without its storage, podman would look into the user's own.
        elif (self.folder / _STORAGE_CONF).exists():
            steps = [self._remove_all_containers, *steps]
        failures = []
        for step in steps:
            try:
                step()
            except (EngineError, OSError, subprocess.SubprocessError) as err:
                failures.append(str(err))
        if failures:
            raise EngineError(f'not all of what was made is gone: {"; ".join(failures)}')

    def _remove_all_containers(self) -> None:
        self.run('rm', '--all', '--force', '--time', '0', timeout=_REMOVING_SECONDS)

    def _remove_containers(self, which: str) -> None:
        listed = self.run('ps', '--all', '--quiet', '--filter', which, timeout=_REMOVING_SECONDS)
        if listed.stdout:
            self.run('rm', '--force', *listed.stdout.split(), timeout=_REMOVING_SECONDS)

    def _remove_images(self, image: str) -> None:
        noted = self._noted()
        if self.has(image):
            self.run('rmi', '--force', image, timeout=_REMOVING_SECONDS)
        # Without force: who has begun to use one of these meanwhile keeps it.
        if noted.get('base'):
            self.run('rmi', BASE_IMAGE, check=False, timeout=_REMOVING_SECONDS)
        if 'stages' in noted:
            for stage in {*self._stages()} - {*noted['stages']}:
                self.run('rmi', stage, check=False, timeout=_REMOVING_SECONDS)

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

    SIGTERM and SIGHUP raise KeyboardInterrupt meanwhile, as Ctrl-C does.

    Args:
        image: The name of the image that is made.
        label: Of the containers that are made.

    Yields:
        The engine, with a folder of its own on a real disk: it may need 10 GB.

    Raises:
        EngineError: If there is none, or two of us would use one folder.
    """
    folder = _PLACE / f'test-containers-{os.getuid()}'
    # The file stays: who removes a file that another has just opened lets two hold the lock.
    with open(f'{folder}.lock', 'w', encoding='utf-8') as lock, ending.unwinding():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise EngineError(f'another test-containers uses {folder}: let it end') from err
        engine = _find_engine(folder)
        # Another run of ours may have been killed before it could.
        engine.remove_all(image, label)
        try:
            _make_folder(engine)
            engine.note_stages()
            yield engine
        finally:
            with ending.undisturbed():
                engine.remove_all(image, label)


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
        NotInstalledError: If this is no Debian, the user is not root, or it fails.
    """
    command = f'apt-get install --no-install-recommends {" ".join(packages)}'
    if os.geteuid() != 0 or shutil.which('apt-get') is None:
        raise NotInstalledError(f'{wanted}, on Debian, as root, with: {command}')
    say(f'installing from Debian: {" ".join(packages)}')
    env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    for step in (['apt-get', 'update', '-qq'], [*command.split(), '--yes', '-qq']):
        # What it starts is left to its end: dpkg that is broken off leaves a broken system.
        done = subprocess.run(
            step, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode != 0:
            raise NotInstalledError(f'{" ".join(step)} failed:\n{done.stdout}')


def _kill_below(folder: pathlib.Path, proc: pathlib.Path = pathlib.Path('/proc')) -> None:
    """Kill processes whose root is in the folder: what a build ran has a session of its own."""
    for mounts in proc.glob('[0-9]*/mountinfo'):
        # Others' cannot be read, or have ended.
        with contextlib.suppress(OSError):
            for line in mounts.read_text(encoding='utf-8').splitlines():
                if line.split()[4] == '/' and f'={folder}/' in line:
                    os.kill(int(mounts.parent.name), signal.SIGKILL)


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
