"""Refuses folders whose path TensorFlow would interpret as a file pattern."""

from __future__ import annotations

import re

from components.common.errors import ConfigError

_PATTERN = re.compile(r'[*?[\\]')


def require_no_pattern(what: str, folder: str) -> None:
    """Check that TensorFlow does not interpret the path of a folder as a pattern.

    TensorFlow does so for the variables of a model, and TFX for the examples of a split:
    in `a[1]` they find no files, and in `a?` also those of `ab`.

    Args:
        what: Name of the folder, for the message.
        folder: Its path or address.

    Raises:
        ConfigError: If the path is a pattern.
    """
    found = _PATTERN.search(folder)
    if found:
        raise ConfigError(
            f'{what}: there is a {found[0]} in {folder}, which TensorFlow takes for a pattern',
            hint='pass a folder whose whole path contains none of * ? [ \\',
        )
