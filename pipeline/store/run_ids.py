"""Ids of runs."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable

from components.common.errors import ConfigError


def new_run_id(root: pathlib.Path, claim: Callable[[str], None]) -> str:
    """Create the id of a run from the time, and claim it, so that no other run gets it.

    Args:
        root: The folder for all that runs write.
        claim: Creates something for an id that can exist only once; raises
            FileExistsError if it exists.

    Returns:
        The id, as `2026-11-24T02-19-23`, followed by `-2` and so on if that is taken.

    Raises:
        ConfigError: If the root is not writable.

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
