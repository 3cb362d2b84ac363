"""Turns what a service answers, or doesn't, into errors that say what to do."""

from __future__ import annotations

from components.common.errors import ServiceError

_MAX_MESSAGE = 300

_HINTS = {
    400: 'the service does not take this request; its message says why',
    401: 'the credentials are missing, wrong or expired: {credentials}',
    403: 'the account of these credentials lacks a permission; ask who runs the service',
    404: 'check the address, and that what is named exists there',
    429: 'too many requests, or a quota is used up: try again later',
}
_SERVER_HINT = 'it is not your doing: try again later, or ask who runs the service'


def refusal(service: str, status: int, message: str, *, credentials: str) -> ServiceError:
    """Make the error for an answer with an HTTP status of 400 or more.

    Args:
        service: Which service, with its address.
        status: The HTTP status; 0 if there is none.
        message: What the service said, in any length.
        credentials: What to do about wrong credentials.
    """
    text = one_line(message) or 'no reason given'
    hint = _HINTS.get(status, _SERVER_HINT if status >= 500 else '')
    return ServiceError(
        f'{service} refused: {status} {text}'
        if status < 500
        else f'{service} failed: {status} {text}',
        hint=hint.format(credentials=credentials),
        may_pass=status == 429 or status >= 500,
    )


def unreachable(service: str, err: BaseException) -> ServiceError:
    """Make the error for a service that does not answer at all.

    Args:
        service: Which service, with its address.
        err: What the client raised; those of requests and urllib3 wrap the reason.
    """
    return ServiceError(
        f'{service} cannot be reached: {reason_of(err)}',
        hint='check the address, the network and, for a port-forward, that it still runs',
        may_pass=True,
    )


def unexpected(service: str, reason: str) -> ServiceError:
    """Make the error for an answer that is not one of this service."""
    return ServiceError(
        f'{service} gave an answer that is not of its kind: {one_line(reason)}',
        hint='check the address: a login page or another service may be there',
    )


def one_line(text: str) -> str:
    """Return text without line breaks and full stop, cut to a length that a terminal shows."""
    line = ' '.join(text.split()).rstrip('.')
    return line if len(line) <= _MAX_MESSAGE else f'{line[: _MAX_MESSAGE - 1]}…'


def reason_of(err: BaseException) -> str:
    """Find the reason in an error of requests or urllib3, without the objects around it."""
    wrapped = getattr(err, 'reason', None) or next(iter(err.args), None)
    if isinstance(wrapped, BaseException):
        return reason_of(wrapped)
    text = str(err)
    return one_line(text.partition(': ')[2] if text.startswith(('HTTP', '<')) else text)
