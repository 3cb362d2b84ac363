"""Folders that TensorFlow takes for patterns, and so nothing can be kept in."""

from __future__ import annotations

import re

from components.common.errors import ConfigError

_PATTERN = re.compile(r'[*?[\\]')


def require_no_pattern(what: str, folder: str) -> None:
    """Refuse a folder whose path TensorFlow takes for a pattern where it looks for files.

    It does so for the variables of a model, and TFX for the examples of a split:
    in `a[1]` both find none, and in `a?` also those of `ab`.

    Args:
        what: Which folder, for the message.
        folder: Its path or address.

    Raises:
        ConfigError: If it is one.
    """
    found = _PATTERN.search(folder)
    if found:
        raise ConfigError(
            f'{what}: there is a {found[0]} in {folder}, which TensorFlow takes for a pattern',
            hint='name a folder whose whole path is without * ? [ and \\',
        )
