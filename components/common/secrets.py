"""Masks credentials in everything that a command prints or writes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

# An address that was normalised as a path has only one slash.
_USER = re.compile(r'(?<=:/)(/?)[^/\s\'"]+@')
_PARAMETER = re.compile(
    r'([?&][\w-]*(?:token|secret|password|passwd|pwd|credential|signature|sig|api[_-]?key'
    r'|access[_-]?key)[\w-]*=)[^&\s\'"]+',
    re.IGNORECASE,
)

_known: set[str] = set()


def register(secret: str) -> None:
    """Make `mask` replace a secret that this process has read, such as a token or password."""
    _known.add(secret)


@contextlib.contextmanager
def secret_scope() -> Iterator[None]:
    """Forget at the end of the block the secrets that were registered in it.

    Each command runs in a scope of its own, so that a secret of one command does not
    alter the output of the next one in the same process.

    >>> with secret_scope():
    ...     register('t0ken')
    ...     mask('refused: t0ken')
    'refused: ***'
    >>> mask('refused: t0ken')
    'refused: t0ken'
    """
    outer = frozenset(_known)
    try:
        yield
    finally:
        _known.intersection_update(outer)


def mask(text: str) -> str:
    """Replace registered secrets, and users, passwords and tokens in addresses, by stars.

    >>> mask('cannot read https://me:pw@example.com/a.csv?token=abc&x=1')
    'cannot read https://***@example.com/a.csv?token=***&x=1'
    """
    # A service may quote the token that it refuses. The longest secret is
    # replaced first, because a shorter one may be its beginning.
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, '***')
    return _PARAMETER.sub(r'\1***', _USER.sub(r'\1***@', text))


def has_credentials(address: str) -> bool:
    """Return whether an address contains a user, a password or a token."""
    return mask(address) != address
