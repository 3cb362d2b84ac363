"""The client of the kfp package: its token, the limits of its requests, and its errors."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.common import secrets
from components.common.errors import (
    ConfigError,
    MissingDependencyError,
    ReviewsError,
    ServiceError,
)
from pipeline.cloud.clients.client_options import parse_client_options
from pipeline.cloud.clients.service import unexpected

_TOKEN_VARIABLE = 'KFP_TOKEN'
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECT_RETRIES = 1


def read_token(file: str | None) -> str:
    """Return the token in a file, or else in the variable KFP_TOKEN; empty if there is none.

    Raises:
        ConfigError: If the token cannot be read or is malformed. The message does not
            contain it.
    """
    try:
        text = pathlib.Path(file).read_text(encoding='utf-8') if file else ''
    except (OSError, UnicodeError) as err:
        reason = getattr(err, 'strerror', None) or 'it is not text'
        raise ConfigError(
            f'cannot read the token from {file}: {reason}',
            hint='pass a text file that you may read: --token-file FILE',
        ) from err
    token = (text if file else os.environ.get(_TOKEN_VARIABLE, '')).strip()
    if (file and not token) or not token.isascii() or not token.isprintable() or ' ' in token:
        raise ConfigError(
            f'{file or _TOKEN_VARIABLE}: expected one token and nothing else',
            hint='a token has ASCII characters only, and no spaces: write it again, on one line',
        )
    if token:
        secrets.register(token)
    return token


def make_client(
    host: str | None, token_file: str | None, namespace: str | None, options: Sequence[str] = ()
) -> Any:
    """Make kfp's client, without a request to the service; see `KubeflowService`.

    Raises:
        ConfigError: If the token cannot be read or is malformed, an option is wrong, or there
            is no address of the service.
        MissingDependencyError: If kfp is not installed.
        ServiceError: If the login of the client fails.
    """
    try:
        import kfp
        import kfp_server_api
    except ImportError as err:
        raise MissingDependencyError(
            f'the client of Kubeflow Pipelines is not installed ({err})',
            hint="run `make cloud`, or pip install -e '.[kubeflow]'",
        ) from err

    class Client(kfp.Client):
        """kfp's client without the health check of its constructor.

        The check retries for 25 s, logs tracebacks and hides the reason. The first
        request reports the same error at once.
        """

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    credentials = types.SimpleNamespace(
        refresh_api_key_hook=lambda config: config.api_key.update(
            authorization=read_token(token_file)
        )
    )
    arguments = parse_client_options(options, kfp.Client)
    # A login in the browser prints what to do; the rest of the output is a warning.
    output = sys.stderr if 'client_id' in arguments else io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(output):
            warnings.simplefilter('ignore')
            client = Client(
                host=host,
                credentials=credentials if read_token(token_file) else None,
                namespace=namespace or 'kubeflow',
                **arguments,
            )
    except ReviewsError:
        raise
    except Exception as err:  # each login has its own errors
        raise ServiceError(
            f'the login to Kubeflow Pipelines failed: {secrets.mask(str(err))}',
            hint='check the values of --client-option',
        ) from err
    _complete_address(client, kfp_server_api.Configuration().host)
    return client


def page_address(client: Any) -> str:
    """Return the address of the user interface if it is known, else that of the API."""
    address: str = client._uihost and client._get_url_prefix()
    return (address or client._existing_config.host).rstrip('/')


def _complete_address(client: Any, default: str) -> None:
    """Require the address that kfp's client has found, and write it as other clients do."""
    config = client._existing_config
    if config.host == default and not client._uihost:
        raise ConfigError(
            '--target kubeflow needs --host: there is no usable context in a kubeconfig file',
            hint='pass --host URL, or --client-option kube_context=NAME',
        )
    # Inside a cluster, it has no scheme. Through the API of Kubernetes, it ends with a slash,
    # and the paths of requests begin with one.
    address = config.host.rstrip('/')
    config.host = address if '://' in address else f'http://{address}'
    config.refresh_api_key_hook = _keeping_address(config.refresh_api_key_hook, config.host)


def _keeping_address(refresh: Callable[[Any], None] | None, address: str) -> Callable[[Any], None]:
    """Return a hook for the key of a request that does not change the address.

    The hook that the kubernetes package makes for a kubeconfig file with a token sets all
    values again, also the address, to that of Kubernetes, and itself (`_set_config` in
    kubernetes/config/kube_config.py, in 26.1 and 30.1).
    """

    def refresh_key(config: Any) -> None:
        if refresh is not None:
            refresh(config)
        config.host, config.refresh_api_key_hook = address, refresh_key

    return refresh_key


def check_answers(client: Any, service: str) -> None:
    """Limit the time of a request, and refuse answers that are not JSON.

    kfp's client has no limit, and reads a login page as an answer without values, such
    as an empty list.
    """
    rest = client._run_api.api_client.rest_client
    rest.pool_manager.connection_pool_kw['retries'] = _CONNECT_RETRIES
    request = rest.request

    def checked(*args: Any, **kwargs: Any) -> Any:
        limits = (_CONNECT_SECONDS, _READ_SECONDS)
        kwargs['_request_timeout'] = kwargs.get('_request_timeout') or limits
        response = request(*args, **kwargs)
        kind = response.urllib3_response.headers.get('Content-Type', 'none')
        if 'json' not in kind:
            raise unexpected(service, f'expected JSON, got {kind}')
        return response

    rest.request = checked


def call(
    client: Any,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send a request that the client has no method for, or whose answer it has no class for.

    Args:
        client: kfp's client.
        method: HTTP method.
        path: Path below that of the API.
        query: Parameters of the query.
        body: JSON values.

    Returns:
        The JSON values of the answer.

    Raises:
        kfp_server_api.ApiException: If the service refuses the request.
    """
    answer: dict[str, Any] = client._run_api.api_client.call_api(
        f'/apis/v2beta1/{path}',
        method,
        query_params=list((query or {}).items()),
        header_params={'Accept': 'application/json', 'Content-Type': 'application/json'},
        body=body,
        response_type='object',
        auth_settings=['Bearer'],
        _return_http_data_only=True,
    )
    return answer


def message_of(err: Any) -> str:
    """Return the reason in an ApiException, whose own text has all headers."""
    try:
        answer = json.loads(err.body)
        # The third is that of an upload.
        reason = answer.get('message') or answer.get('error') or answer.get('error_message')
        return str(reason or err.reason)
    except (TypeError, ValueError, AttributeError):
        return str(err.reason or '')
