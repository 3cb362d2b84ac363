"""kfp's own client, with what it lacks: limits, tokens that are renewed, plain errors."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

from components.common.errors import MissingDependencyError
from pipeline.cloud.clients import refusals

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECT_RETRIES = 1


def make_client(host: str, read_token: Callable[[], str] | None, namespace: str | None) -> Any:
    """Make kfp's client.

    Args:
        host: Address of Kubeflow Pipelines.
        read_token: Returns the token, for each request; None to send none.
        namespace: Of the user; None where there is but one.

    Raises:
        MissingDependencyError: If kfp is not installed.
    """
    try:
        import kfp
        import kfp_server_api
    except ImportError as err:
        raise MissingDependencyError(
            f'Kubeflow Pipelines needs its client, and it is not installed ({err})',
            hint="run `make cloud`, or pip install -e '.[kubeflow]'",
        ) from err

    class Client(kfp.Client):
        """kfp's client, less the health check of its constructor.

        That retries for 25 s whatever the answer, logs tracebacks and then hides
        why; the first real request says it at once.
        """

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    def refresh(config: Any) -> None:
        config.api_key['authorization'] = read_token() if read_token else ''

    credentials = types.SimpleNamespace(refresh_api_key_hook=refresh) if read_token else None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Client(host=host, credentials=credentials, namespace=namespace or 'kubeflow')


def watch_requests(client: Any, service: str) -> Any:
    """Limit how long a request may take, and refuse answers that are not the API's.

    kfp's client has no limit, and no way to set one. And it takes a login page for an
    answer in which nothing is set, such as an empty list.

    Args:
        client: The client.
        service: Which service, with its address.

    Returns:
        The urllib3 pool manager that it sends its requests with.
    """
    rest = client._run_api.api_client.rest_client
    rest.pool_manager.connection_pool_kw['retries'] = _CONNECT_RETRIES
    request = rest.request

    def watched(*args: Any, **kwargs: Any) -> Any:
        kwargs['_request_timeout'] = kwargs.get('_request_timeout') or (
            _CONNECT_SECONDS,
            _READ_SECONDS,
        )
        response = request(*args, **kwargs)
        kind = response.urllib3_response.headers.get('Content-Type', 'none')
        if 'json' not in kind:
            raise refusals.unexpected(service, f'expected JSON, got {kind}')
        return response

    rest.request = watched
    return rest.pool_manager
