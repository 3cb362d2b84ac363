"""Creates ids of runs."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable

from components.common.errors import ConfigError


def new_run_id(root: pathlib.Path, claim: Callable[[str], None]) -> str:
    """Create the id of a run from the current time, and reserve it.

    Args:
        root: The folder for all that runs write.
        claim: Reserves an id; raises FileExistsError if another run has reserved it.

    Returns:
        The id, for example `2026-11-24T02-19-23`. If it is reserved, `-2` and so on
        follows.

    Raises:
        ConfigError: If the root is not writable, or if too many runs start in one second.

    Example:
        >>> new_run_id(pathlib.Path('runs'), lambda run_id: None)  # doctest: +ELLIPSIS
        '20...'
    """
    base = datetime.datetime.now().strftime('%Y-%m-%dT%H-%M-%S')
    try:
        for attempt in range(1, 1_000):
            run_id = base if attempt == 1 else f'{base}-{attempt}'
            try:
                claim(run_id)
            except FileExistsError:
                continue
            return run_id
    except OSError as err:
        raise cannot_write(root, err) from err
    raise ConfigError(f'too many runs started at {base} in {root}')


def cannot_write(root: pathlib.Path, error: OSError) -> ConfigError:
    """Return the error for a root that is not writable."""
    return ConfigError(
        f'cannot write to the root {root}: {error.strerror or error}',
        hint='pass a writable folder: --root DIR',
    )
