"""Whether a runner can work where a pipeline runs, and whether it is there."""

from __future__ import annotations

import ipaddress
import os
import socket
import urllib.parse
from typing import Literal

from components.common.errors import ConfigError, ServiceError
from components.common.storage import is_remote
from pipeline.beam.arguments import require_known
from pipeline.settings.beam import BeamSettings, FlinkSettings, PortableSettings, SparkSettings

_CONNECT_SECONDS = 5.0


def require_usable(
    beam: BeamSettings, target: Literal['local', 'vertex', 'kubeflow'], *, data: str | None = None
) -> None:
    """Refuse a runner that could not work from there, before anything begins.

    Args:
        beam: The settings.
        target: What the pipeline runs on.
        data: Path of the data, if the workers are to see it.

    Raises:
        ConfigError: If the runner cannot work with that target, or Beam does
            not take an option.
    """
    require_known(beam)
    if beam.runner == 'direct':
        return
    if target == 'local':
        if beam.runner == 'dataflow':
            raise ConfigError(
                "the runner dataflow sees gs:// alone, and a local run's artifacts are on this "
                'machine',
                hint='run it on a service: `submit --target vertex` or `--target kubeflow`',
            )
        _require_files(beam)
        return
    if beam.runner == 'dataflow' and data is not None and not data.startswith('gs://'):
        raise ConfigError(
            f'the workers of Dataflow cannot see the data {data!r}', hint='expected gs://BUCKET/…'
        )
    service = beam.service
    if service is None:
        return
    if service.setup_file is not None:
        raise ConfigError(
            f'beam.{beam.runner}.setup_file: on {target}, the code is that of an image',
            hint='leave it out, and have the code in the image of the workers',
        )
    if service.environment == 'LOOPBACK':
        raise ConfigError(
            f'beam.{beam.runner}.environment: LOOPBACK is for workers on the same machine, '
            f'and a step on {target} is a container',
            hint='expected EXTERNAL, DOCKER or PROCESS',
        )
    host, port = _address(service)
    if _is_loopback(host):
        raise ConfigError(
            f'beam.{beam.runner}: a step on {target} is a container, and nothing else is at its '
            f'{host}:{port}',
            hint='name the host as the cluster knows it',
        )


def _require_files(beam: BeamSettings) -> None:
    for name in ('setup_file', 'job_server_jar'):
        path = getattr(beam.service, name, None)
        # Beam fetches a jar from elsewhere.
        fetched = name == 'job_server_jar' and is_remote(path or '')
        if path is not None and not fetched and not os.path.isfile(path):
            raise ConfigError(
                f'beam.{beam.runner}.{name}: there is no file {path!r}',
                hint='correct its path, which counts from the current folder',
            )


def require_listening(beam: BeamSettings) -> None:
    """Check that the runner's service takes connections.

    Raises:
        ServiceError: If not.
    """
    service = beam.service
    if service is None:
        return
    host, port = _address(service)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as err:
        raise ServiceError(
            f'the runner {beam.runner} cannot be reached at {host}:{port}: {err.strerror or err}',
            hint='start it, or correct its address in the settings below '
            f'beam.{beam.runner}',
            may_pass=True,
        ) from err


def _address(service: PortableSettings) -> tuple[str, int]:
    """Return the host and port that jobs are sent to."""
    url = f'http://{service.job_endpoint}'
    if service.job_endpoint is None:
        if isinstance(service, FlinkSettings):
            url = service.master or ''
        elif isinstance(service, SparkSettings):
            url = service.rest_url or ''
    parts = urllib.parse.urlsplit(url)
    return parts.hostname or '', parts.port or {'https': 443}.get(parts.scheme, 80)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
