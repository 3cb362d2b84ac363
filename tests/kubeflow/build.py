"""Builds what a test needs of Kubeflow Pipelines: its driver, its launcher, and its API server.

The sources stay as they are. Go reads our program from this folder (`-overlay`) and writes the
requirements of the build to a copy of go.mod (`-modfile`).
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

from components.common.errors import ComponentError, ConfigError, MissingDependencyError
from requirements import tools
from tests.conftest import REPO

BUILDS = REPO / 'build' / 'kubeflow'
# Ours, and two of Kubeflow Pipelines.
PROGRAMS = ('kfpapi', 'driver', 'launcher-v2')
_COMMANDS = 'backend/src/v2/cmd'
_OURS = pathlib.Path(__file__).with_name('kfpapi') / 'main.go'
# Our program is written for 2.17.0. In versions with the gateway 1, such as 2.5.0, this differs:
_GATEWAY = 'grpc-gateway/v2'
_FOR_GATEWAY_1 = {
    _GATEWAY: 'grpc-gateway',
    'runtime.WithMarshalerOption(runtime.MIMEWildcard, common.CustomMarshaler())': '',
}
# In 3.0, artifacts are in the API, and the cache is a part of its runs:
_ARTIFACT_SERVER = 'backend/src/apiserver/server/artifact_server.go'
_FOR_ARTIFACT_SERVER = {
    'apiv1 "github.com/kubeflow/pipelines/backend/api/v1beta1/go_client"': '',
    'apiv1.RegisterTaskServiceServer': 'apiv2.RegisterArtifactServiceServer',
    'server.NewTaskServer': 'server.NewArtifactServer',
}
# Without optimization, a build from scratch takes half the time.
_FLAGS = ('-buildvcs=false', '-gcflags=all=-N -l', '-ldflags=-s -w')
_ENVIRONMENT = {'CGO_CFLAGS': '-O0', 'GOWORK': 'off'}
_HINT = (
    'get them with git clone --depth 1 --branch 2.17.0 https://github.com/kubeflow/pipelines, '
    'and run make kubeflow KFP_SOURCE=pipelines'
)


def find_source(path: str) -> pathlib.Path:
    """Return the folder with the sources of Kubeflow Pipelines.

    Args:
        path: A checkout, or an archive of one, which is unpacked below `BUILDS`.

    Raises:
        ConfigError: If it is neither.
    """
    given = pathlib.Path(path).absolute()
    folder = _unpack(given) if path and given.is_file() else given
    if not path or not (folder / _COMMANDS / 'driver').is_dir():
        got = repr(path) if path else 'nothing'
        raise ConfigError(
            'KFP_SOURCE: expected a checkout of kubeflow/pipelines or an archive of one, '
            f'got {got}',
            hint=_HINT,
        )
    return folder


def _unpack(archive: pathlib.Path) -> pathlib.Path:
    """Unpack an archive once; return its top folder."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:12]
    unpacked = BUILDS / f'source-{digest}'
    if not unpacked.is_dir():
        BUILDS.mkdir(parents=True, exist_ok=True)
        partial = pathlib.Path(tempfile.mkdtemp(dir=BUILDS))
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(partial, filter='data')
            partial.rename(unpacked)
        except tarfile.TarError as err:
            raise ConfigError(
                f'KFP_SOURCE: {archive} is not an archive: {err}', hint=_HINT
            ) from err
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return next((path for path in unpacked.iterdir() if path.is_dir()), unpacked)


def require_programs() -> None:
    """Check that this machine has what the build needs.

    Raises:
        MissingDependencyError: If it does not.
    """
    for program, package in (('go', 'Go from https://go.dev/dl'), ('gcc', 'gcc')):
        if shutil.which(program) is None:
            raise MissingDependencyError(
                f'{program} is not installed; Kubeflow Pipelines is built with it',
                hint=f'install {package}',
            )


def build(source: pathlib.Path, argo: str = '') -> pathlib.Path:
    """Build the programs; return the folder with them.

    Go keeps what it has compiled, so a second build takes seconds.

    Args:
        source: The sources.
        argo: Version of Argo Workflows in place of that of the sources, empty for that one.

    Raises:
        ComponentError: If a build fails.
    """
    out = BUILDS / f'build-{hashlib.sha256(str(source).encode()).hexdigest()[:12]}'
    out.mkdir(parents=True, exist_ok=True)
    (out / 'main.go').write_text(adapt_program(source), encoding='utf-8')
    added = {str(source / _COMMANDS / 'kfpapi' / 'main.go'): str(out / 'main.go')}
    (out / 'overlay.json').write_text(json.dumps({'Replace': added}), encoding='utf-8')
    for name in ('go.mod', 'go.sum'):
        shutil.copyfile(source / name, out / name)
    if argo:
        module = f'-require=github.com/argoproj/argo-workflows/v4@{argo}'
        _run('go', 'mod', 'edit', module, str(out / 'go.mod'), cwd=source)
    bin_folder = out / 'bin'
    for name in PROGRAMS:
        started = time.monotonic()
        files = [f'-modfile={out}/go.mod', f'-overlay={out}/overlay.json', '-mod=mod']
        flags = [*_FLAGS, '-o', str(bin_folder / name)]
        _run('go', 'build', *files, *flags, f'./{_COMMANDS}/{name}', cwd=source)
        say(f'built {name} in {time.monotonic() - started:.0f} s')
    return bin_folder


def adapt_program(source: pathlib.Path) -> str:
    """Return our program for a version of Kubeflow Pipelines."""
    differences: dict[str, str] = {}
    if _GATEWAY not in (source / 'go.mod').read_text(encoding='utf-8'):
        differences |= _FOR_GATEWAY_1
    if (source / _ARTIFACT_SERVER).exists():
        differences |= _FOR_ARTIFACT_SERVER
    program = _OURS.read_text(encoding='utf-8')
    for ours, other in differences.items():
        program = program.replace(ours, other)
    return program


def install_servers() -> pathlib.Path:
    """Install moto and ML Metadata in an environment of their own; return its programs."""
    lock = REPO / 'requirements' / 'servers.txt'
    venv = BUILDS / f'servers-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}'
    programs = venv / 'bin'
    if not (programs / 'moto_server').is_file():
        started = time.monotonic()
        uv = tools.find_uv([sys.executable])
        _run(uv, 'venv', '--quiet', '--no-project', '--python', sys.executable, str(venv), cwd=REPO)
        python = str(venv / 'bin' / 'python')
        sync = ('sync', '--quiet', '--require-hashes', '--python', python, str(lock))
        _run(uv, 'pip', *sync, cwd=REPO)
        say(f'installed the servers in {time.monotonic() - started:.0f} s')
    return programs


def say(line: str) -> None:
    """Print a line at once: pytest would show it only if a test fails."""
    print(f'kubeflow: {line}', file=sys.__stderr__, flush=True)


def _run(*command: str, cwd: pathlib.Path) -> None:
    environment = {**os.environ, **_ENVIRONMENT}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = [line for line in done.stderr.splitlines() if not line.startswith('go: downloading')]
        print('\n'.join(tail[-20:]), file=sys.stderr)
        raise ComponentError(
            f'{" ".join(command[:3])} failed with exit code {done.returncode} (see above)'
        )
