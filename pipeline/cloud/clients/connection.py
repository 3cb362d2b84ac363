"""Creates the client of a service from the options of the command line."""

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
from pipeline.cloud.clients.service import Service
from pipeline.cloud.targets import Target

TOKEN_VARIABLE = 'KFP_TOKEN'

_ONLY_FOR: dict[str, Target] = {
    'token_file': 'kubeflow',
    'namespace': 'kubeflow',
    'project': 'vertex',
    'region': 'vertex',
    'network': 'vertex',
}
_REQUIRED: dict[Target, tuple[tuple[str, str], ...]] = {
    'kubeflow': (('host', 'URL'),),
    'vertex': (('project', 'ID'), ('region', 'REGION')),
}
_NAME = re.compile(r'[a-z0-9][a-z0-9.:-]*')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Connection:
    """Address of a service, and the account to use.

    Attributes:
        target: The service.
        host: Address of Kubeflow Pipelines; of Vertex AI if it is not the default of
            the region.
        token_file: File with the token for Kubeflow Pipelines.
        namespace: Namespace of the user, for Kubeflow with several users.
        project: Id of the Google Cloud project.
        region: Google Cloud region.
        service_account: Service account that the runs use.
        network: Full name of a VPC network to peer with.

    Raises:
        ConfigError: If an option is missing, or is for another service.

    Example:
        >>> Connection(target='kubeflow', host='http://127.0.0.1:8080').host
        'http://127.0.0.1:8080'
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
        for field, target in _ONLY_FOR.items():
            if getattr(self, field) is not None and self.target != target:
                raise ConfigError(
                    f'{_option(field)} is for --target {target}, got --target {self.target}',
                    hint='remove the option',
                )
        for field, value in _REQUIRED[self.target]:
            if not getattr(self, field):
                raise ConfigError(
                    f'--target {self.target} needs {_option(field)}',
                    hint=f'pass {_option(field)} {value}',
                )
        if self.host and secrets.has_credentials(self.host):
            # It would be printed with the address of each run.
            raise ConfigError(
                '--host: expected an address without user, password or token',
                hint='pass credentials by --token-file',
            )
        if self.host and not _is_address(self.host):
            raise ConfigError(
                f'--host: expected an address as https://HOST/PATH, got {self.host!r}'
            )
        for field in ('project', 'region'):
            # They become part of the address that gets the credentials.
            value = getattr(self, field)
            if value and not _NAME.fullmatch(value):
                raise ConfigError(f'{_option(field)}: expected a name, got {value!r}')


def connect(connection: Connection, warn: Callable[[str], None]) -> Service:
    """Create the client of a service.

    Args:
        connection: The connection.
        warn: Called with a warning if the token is sent unencrypted.

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
        warn(f'warning: the token is sent unencrypted, as {host} is not https')
    return KubeflowService(
        host,
        read_token=read_token,
        namespace=connection.namespace,
        service_account=connection.service_account,
    )


def token_reader(file: str | None, value: str | None) -> Callable[[], str] | None:
    """Return a function that reads the token, or None if there is no token.

    Args:
        file: Path of a file with the token only. It is read for each request, because
            Kubernetes renews tokens in place.
        value: The token, if there is no file.

    Raises:
        ConfigError: If the token cannot be read or is malformed. The message does not
            contain it.
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
            f'{source}: expected one token and nothing else, got {len(text)} characters'
        )
    secrets.register(token)
    return token


def _option(field: str) -> str:
    return f'--{field.replace("_", "-")}'


def _is_address(host: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(host)
        _ = parts.port
    except ValueError:
        return False
    web = parts.scheme in ('http', 'https') and bool(parts.hostname)
    return web and not parts.query and not parts.fragment


def _is_private(host: str) -> bool:
    """Return whether requests are encrypted or stay on this machine."""
    parts = urllib.parse.urlsplit(host)
    if parts.scheme == 'https' or parts.hostname == 'localhost':
        return True
    try:
        return ipaddress.ip_address(parts.hostname or '').is_loopback
    except ValueError:
        return False
