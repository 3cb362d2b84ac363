"""Keeps credentials out of all that is shown and kept."""

from __future__ import annotations

import re

# One slash is left where a path was made of an address.
_USER = re.compile(r'(?<=:/)(/?)[^/\s\'"]+@')
_PARAMETER = re.compile(
    r'([?&][\w-]*(?:token|secret|password|passwd|pwd|credential|signature|sig|api[_-]?key'
    r'|access[_-]?key)[\w-]*=)[^&\s\'"]+',
    re.IGNORECASE,
)


_known: set[str] = set()


def remember(secret: str) -> None:
    """Have `mask` put stars in the place of a secret that this process has read."""
    _known.add(secret)


def mask(text: str) -> str:
    """Put stars in the place of users, passwords and tokens in addresses.

    >>> mask('cannot read https://me:pw@example.com/a.csv?token=abc&x=1')
    'cannot read https://***@example.com/a.csv?token=***&x=1'
    """
    for secret in _known:
        # A service may quote the token that it refuses.
        text = text.replace(secret, '***')
    return _PARAMETER.sub(r'\1***', _USER.sub(r'\1***@', text))


def has_credentials(address: str) -> bool:
    """Say whether an address has a user, a password or a token in it."""
    return mask(address) != address
