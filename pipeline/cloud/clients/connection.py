"""Creates the client of a service from the options of the command line."""

from __future__ import annotations

import inspect
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from components.common import secrets
from components.common.errors import ConfigError
from pipeline.cloud.clients.kfp_client import read_token
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Service
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.targets import Target


def connect(target: Target, options: Mapping[str, Any], warn: Callable[[str], None]) -> Service:
    """Create the client of a service.

    Args:
        target: The service.
        options: Options of the command line, by name; None or an empty tuple if an option is
            not set. Those of a service are the arguments of its class.
        warn: Called with a warning if a token or cookies are sent unencrypted.

    Raises:
        ConfigError: If an option is missing, wrong or for another service, or the token
            cannot be read.
        MissingDependencyError: If the client is not installed.
        ServiceError: If there are no credentials.

    Example:
        >>> connect('kubeflow', {'host': 'http://127.0.0.1:8080'}, print)  # doctest: +SKIP
        <pipeline.cloud.clients.kubeflow.KubeflowService object at 0x7f3c>
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    service = KubeflowService if target == 'kubeflow' else VertexService
    accepted = inspect.signature(service).parameters
    for name in given:
        if name not in accepted:
            raise ConfigError(
                f'{_option(name)} does not apply to --target {target}', hint='remove the option'
            )
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and not given.get(name):
            raise ConfigError(
                f'--target {target} needs {_option(name)}', hint=f'pass {_option(name)} VALUE'
            )
    if 'host' in given:
        _require_address(given['host'])
    connected: Service = service(**given)
    if isinstance(connected, KubeflowService) and not _is_private(connected.address):
        cookies = any(option.startswith('cookies=') for option in given.get('client_option', ()))
        if cookies or read_token(given.get('token_file')):
            warn(f'warning: the login is sent unencrypted, as {connected.address} is not https')
    return connected


def _option(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def _require_address(host: str) -> None:
    if secrets.has_credentials(host):
        # It would be printed with the address of each run.
        raise ConfigError(
            '--host: expected an address without user, password or token',
            hint='pass the token with --token-file',
        )
    if not host.startswith(('http://', 'https://')):
        raise ConfigError(
            f'--host: expected an address as https://HOST/PATH, got {host!r}',
            hint='begin the address with https://, or with http:// for a port-forward',
        )


def _is_private(host: str) -> bool:
    """Return whether requests are encrypted or stay on this machine."""
    parts = urllib.parse.urlsplit(host)
    return parts.scheme == 'https' or parts.hostname in ('localhost', '127.0.0.1', '::1')
