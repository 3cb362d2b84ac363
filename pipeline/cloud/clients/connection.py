"""Creates the client of a service from the options of the command line."""

from __future__ import annotations

import inspect
import ipaddress
import os
import pathlib
import urllib.parse
from collections.abc import Callable, Mapping

from components.common import secrets
from components.common.errors import ConfigError
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Service
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.targets import Target

TOKEN_VARIABLE = 'KFP_TOKEN'


def connect(
    target: Target, options: Mapping[str, str | None], warn: Callable[[str], None]
) -> Service:
    """Create the client of a service.

    Args:
        target: The service.
        options: Options of `submit` and `schedule` that describe the connection, by name; None
            if an option is not set. Those of a service are the arguments of its class.
        warn: Called with a warning if the token is sent unencrypted.

    Raises:
        ConfigError: If an option is missing, wrong or for another service, or the token
            cannot be read.
        MissingDependencyError: If the client is not installed.
        ServiceError: If there are no credentials.

    Example:
        >>> connect('kubeflow', {'host': 'http://127.0.0.1:8080'}, print)  # doctest: +SKIP
        <pipeline.cloud.clients.kubeflow.KubeflowService object at 0x7f3c>
    """
    given = {name: value for name, value in options.items() if value is not None}
    service = KubeflowService if target == 'kubeflow' else VertexService
    _require_options(target, given, inspect.signature(service).parameters)
    if 'host' in given:
        _require_address(given['host'])
    if target == 'vertex':
        return VertexService(**given)
    read_token = token_reader(given.pop('token_file', None), os.environ.get(TOKEN_VARIABLE))
    if read_token and not _is_private(given['host']):
        warn(f'warning: the token is sent unencrypted, as {given["host"]} is not https')
    return KubeflowService(**given, read_token=read_token)


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
    if not (file or value):
        return None

    def read() -> str:
        try:
            text = pathlib.Path(file).read_text(encoding='utf-8') if file else value or ''
        except (OSError, UnicodeError) as err:
            reason = getattr(err, 'strerror', None) or 'it is not text'
            raise ConfigError(f'cannot read the token from {file}: {reason}') from err
        token = text.strip()
        if not token or not token.isascii() or not token.isprintable() or ' ' in token:
            raise ConfigError(
                f'{file or TOKEN_VARIABLE}: expected one token and nothing else, '
                f'got {len(text)} characters'
            )
        secrets.register(token)
        return token

    read()
    return read


def _require_options(
    target: Target, given: Mapping[str, str], accepted: Mapping[str, inspect.Parameter]
) -> None:
    for name in given:
        if name not in accepted and not (name == 'token_file' and 'read_token' in accepted):
            raise ConfigError(
                f'{_option(name)} is not for --target {target}', hint='remove the option'
            )
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and not given.get(name):
            raise ConfigError(f'--target {target} needs {_option(name)}')


def _option(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def _require_address(host: str) -> None:
    if secrets.has_credentials(host):
        # It would be printed with the address of each run.
        raise ConfigError(
            '--host: expected an address without user, password or token',
            hint='pass credentials by --token-file',
        )
    try:
        parts = urllib.parse.urlsplit(host)
        web = parts.scheme in ('http', 'https') and bool(parts.hostname)
        valid = web and not parts.query and not parts.fragment and (parts.port or True)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f'--host: expected an address as https://HOST/PATH, got {host!r}')


def _is_private(host: str) -> bool:
    """Return whether requests are encrypted or stay on this machine."""
    parts = urllib.parse.urlsplit(host)
    if parts.scheme == 'https' or parts.hostname == 'localhost':
        return True
    try:
        return ipaddress.ip_address(parts.hostname or '').is_loopback
    except ValueError:
        return False
