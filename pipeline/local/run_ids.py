"""Names of runs."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable

from components.common.errors import ConfigError


def new_run_id(root: pathlib.Path, claim: Callable[[str], None]) -> str:
    """Name a run by the time, and claim the name, so that no other run takes it.

    Args:
        root: The folder for all that runs write.
        claim: Makes what is to be there once, below `root`, for a name; raises
            FileExistsError if it is there.

    Returns:
        The name: `2026-11-24T02-19-23`, with `-2` and so on if that was taken.

    Raises:
        ConfigError: If nothing can be written there.
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
    raise ConfigError(f'too many runs began at {base} in {root}')


def cannot_write(root: pathlib.Path, error: OSError) -> ConfigError:
    """Return what is told of a root that cannot be written to."""
    return ConfigError(
        f'cannot write to the root {root}: {error.strerror or error}',
        hint='name a folder that can be written, with --root DIR',
    )
