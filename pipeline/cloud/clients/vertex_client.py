"""The API clients of google-cloud-aiplatform, and their errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from components.common.errors import MissingDependencyError, ServiceError
from components.common.stacks import quiet_google_imports
from pipeline.cloud.clients.service import refused, unexpected, unreachable

_CREDENTIALS_HINT = 'run `gcloud auth application-default login`, or configure a service account'
_REQUEST = re.compile(r'^[A-Z]+ https?://\S+: ')


def import_api() -> Any:
    """Return the module `google.cloud.aiplatform_v1`.

    Raises:
        MissingDependencyError: If google-cloud-aiplatform is not installed.
    """
    try:
        with quiet_google_imports():
            from google.cloud import aiplatform_v1
    except ImportError as err:
        raise MissingDependencyError(
            f'the client of Vertex AI is not installed ({err})',
            hint="run `make cloud`, or pip install -e '.[vertex]'",
        ) from err
    return aiplatform_v1


@contextlib.contextmanager
def translated_errors(service: str) -> Iterator[None]:
    """Translate the errors of the API clients.

    Args:
        service: Name and address of the service.

    Raises:
        ServiceError: If the service cannot be reached, refuses or fails, or there are no
            credentials.
    """
    import requests
    from google.api_core import exceptions as api_exceptions
    from google.auth import exceptions as auth_exceptions
    from google.protobuf import json_format

    try:
        yield
    except api_exceptions.RetryError as err:
        raise unreachable(service, err.cause or err) from err
    except api_exceptions.GoogleAPICallError as err:
        # The client's message begins with the request.
        message = _REQUEST.sub('', str(err.message))
        raise refused(service, int(err.code or 0), message, credentials=_CREDENTIALS_HINT) from err
    except (auth_exceptions.TransportError, requests.RequestException) as err:
        raise unreachable(service, err) from err
    except auth_exceptions.GoogleAuthError as err:
        raise ServiceError(
            f'no credentials for Google Cloud: {err.args[0]}',
            hint=_CREDENTIALS_HINT,
        ) from err
    except (json_format.Error, ValueError) as err:
        raise unexpected(service, str(err)) from err
