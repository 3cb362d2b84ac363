"""Creates the errors for failed requests to a service."""

from __future__ import annotations

from components.common.errors import ServiceError
from components.common.secrets import mask

_HINTS = {
    400: 'correct what the message of the service names',
    401: 'the credentials are missing, wrong or expired: {credentials}',
    403: 'the account lacks a permission; ask the administrator of the service',
    404: 'check the address, and that the named resource exists there',
    429: 'too many requests, or a quota is used up: try again later',
}
_SERVER_HINT = 'try again later, or ask the administrator of the service'


def refused(service: str, status: int, message: str, *, credentials: str) -> ServiceError:
    """Return the error for an answer with an HTTP status of 400 or more.

    Args:
        service: Name and address of the service.
        status: HTTP status; 0 if there is none.
        message: Message of the service.
        credentials: Hint for wrong credentials.

    Example:
        >>> str(refused('Vertex AI', 403, 'Permission denied.', credentials='log in'))
        'Vertex AI refused the request: 403 Permission denied'
    """
    text = mask(message).strip().rstrip('.') or 'no reason given'
    failed = status >= 500
    return ServiceError(
        f'{service} {"failed" if failed else "refused the request"}: {status} {text}',
        hint=_HINTS.get(status, _SERVER_HINT if failed else '').format(credentials=credentials),
        may_pass=failed or status == 429,
    )


def unreachable(service: str, err: BaseException) -> ServiceError:
    """Return the error for a service that does not answer.

    Args:
        service: Name and address of the service.
        err: Error of the client; those of requests and urllib3 wrap the reason.
    """
    return ServiceError(
        f'{service} cannot be reached: {_reason(err)}',
        hint='check the address, the network and, for a port-forward, that it still runs',
        may_pass=True,
    )


def unexpected(service: str, reason: str) -> ServiceError:
    """Return the error for an answer that is not from the API of this service."""
    return ServiceError(
        f'{service} sent an unexpected answer: {mask(reason)}',
        hint='check the address: it may belong to a login page or to another service',
    )


def _reason(err: BaseException) -> str:
    """Return the innermost reason, without the Python objects in the message."""
    wrapped = getattr(err, 'reason', None) or next(iter(err.args), None)
    if isinstance(wrapped, BaseException):
        return _reason(wrapped)
    text = str(err)
    return text.partition(': ')[2] if text.startswith(('HTTP', '<')) else text
