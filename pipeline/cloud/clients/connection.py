"""Makes the client of a service from what the command line says."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pathlib
import re
import urllib.parse
from collections.abc import Callable

from components.common import secrets
from components.common.errors import ConfigError
from pipeline.cloud.clients.protocol import Service
from pipeline.cloud.targets import Target

TOKEN_VARIABLE = 'KFP_TOKEN'

# Which options are of one service alone, by field.
_ONLY: dict[str, Target] = {
    'token_file': 'kubeflow',
    'namespace': 'kubeflow',
    'project': 'vertex',
    'region': 'vertex',
    'network': 'vertex',
}
_REQUIRED: dict[Target, tuple[tuple[str, str], ...]] = {
    'kubeflow': (('host', 'its address, as http://127.0.0.1:8080 of a port-forward'),),
    'vertex': (
        ('project', 'the id of the Google Cloud project'),
        ('region', 'where to run, as europe-west4'),
    ),
}
_NAME = re.compile(r'[a-z0-9][a-z0-9.:-]*')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Connection:
    """Where a service is, and as whom to use it.

    Attributes:
        target: Which service.
        host: Address of Kubeflow Pipelines; of Vertex AI where it is not the
            region's own.
        token_file: File with the token for Kubeflow Pipelines.
        namespace: Of the user, in a Kubeflow of several users.
        project: Id of the Google Cloud project.
        region: Of Google Cloud.
        service_account: That the run is executed as.
        network: Full name of a VPC network to peer with.
    """

    target: Target
    host: str | None = None
    token_file: str | None = None
    namespace: str | None = None
    project: str | None = None
    region: str | None = None
    service_account: str | None = None
    network: str | None = None

    def __post_init__(self) -> None:
        for field, target in _ONLY.items():
            if getattr(self, field) is not None and self.target != target:
                raise ConfigError(
                    f'{_option(field)} is for --target {target}, got it with {self.target}',
                    hint='leave it out',
                )
        for field, what in _REQUIRED[self.target]:
            if not getattr(self, field):
                raise ConfigError(
                    f'--target {self.target} needs {_option(field)}: {what}', hint='give it'
                )
        if self.host:
            _check_address(self.host)
        for field in ('project', 'region'):
            value = getattr(self, field)
            # They become part of an address.
            if value is not None and not _NAME.fullmatch(value):
                raise ConfigError(f'expected a name for {_option(field)}, got {value!r}')


def connect(connection: Connection, say: Callable[[str], None]) -> Service:
    """Make the client; what is missing for it is found out here.

    Args:
        connection: What to connect to.
        say: Is given a line if something looks unsafe.

    Raises:
        ConfigError: If the token cannot be read.
        MissingDependencyError: If the client is not installed.
        ServiceError: If there are no credentials.
    """
    if connection.target == 'vertex':
        from pipeline.cloud.clients.vertex import VertexService

        return VertexService(
            connection.project or '',
            connection.region or '',
            endpoint=connection.host,
            service_account=connection.service_account,
            network=connection.network,
        )
    from pipeline.cloud.clients.kubeflow import KubeflowService

    host = connection.host or ''
    read_token = token_reader(connection.token_file, os.environ.get(TOKEN_VARIABLE))
    if read_token and not _is_private(host):
        say(f'the token is sent unencrypted: {host} is not https')
    return KubeflowService(
        host,
        read_token=read_token,
        namespace=connection.namespace,
        service_account=connection.service_account,
    )


def token_reader(file: str | None, value: str | None) -> Callable[[], str] | None:
    """Return what reads the token, or None if there is none.

    Args:
        file: Path of a file with nothing else in it; it is read each time, as tokens
            of Kubernetes are renewed there.
        value: The token itself, if there is no file.

    Raises:
        ConfigError: If it cannot be read, or is not one; it is not part of the message.
    """
    if file is None:
        if not value:
            return None
        token = _checked(value, TOKEN_VARIABLE)
        return lambda: token
    path = pathlib.Path(file)

    def read() -> str:
        try:
            return _checked(path.read_text(encoding='utf-8'), str(path))
        except (OSError, UnicodeError) as err:
            reason = getattr(err, 'strerror', None) or 'it is not text'
            raise ConfigError(f'cannot read the token from {path}: {reason}') from err

    read()
    return read


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or ' ' in token:
        raise ConfigError(
            f'expected a token in {source}, and nothing else; it has {len(text)} characters'
        )
    secrets.register(token)
    return token


def _option(field: str) -> str:
    return f'--{field.replace("_", "-")}'


def _check_address(host: str) -> None:
    try:
        parts = urllib.parse.urlsplit(host)
        valid = parts.scheme in {'http', 'https'} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    else:
        if parts.username is not None or parts.password is not None:
            # It would be shown with the address of each run.
            raise ConfigError(
                'expected an address without a user and password in --host',
                hint='credentials go into --token-file',
            )
        valid = valid and not parts.query and not parts.fragment
    if not valid:
        raise ConfigError(
            f'expected an address as https://HOST/PATH for --host, got {secrets.mask(host)!r}',
        )


def _is_private(host: str) -> bool:
    """Whether what is sent to an address is encrypted, or stays on this machine."""
    parts = urllib.parse.urlsplit(host)
    if parts.scheme == 'https' or parts.hostname == 'localhost':
        return True
    try:
        return ipaddress.ip_address(parts.hostname or '').is_loopback
    except ValueError:
        return False
