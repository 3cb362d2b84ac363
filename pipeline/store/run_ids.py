"""Creates ids of runs."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable

from pipeline.store.folders import cannot_write


def new_run_id(root: pathlib.Path, claim: Callable[[str], None]) -> str:
    """Create the id of a run from the current time, and reserve it.

    Args:
        root: The folder for all that runs write.
        claim: Reserves an id; raises FileExistsError if another run has reserved it.

    Returns:
        The id, for example `2026-11-24T02-19-23`. If it is reserved, `-2` and so on
        follows.

    Raises:
        ConfigError: If the root is not writable.

    Example:
        >>> new_run_id(pathlib.Path('runs'), lambda run_id: None)  # doctest: +ELLIPSIS
        '20...'
    """
    run_id = now = datetime.datetime.now().strftime('%Y-%m-%dT%H-%M-%S')
    attempt = 1
    while True:
        try:
            claim(run_id)
            return run_id
        except FileExistsError:
            attempt += 1
            run_id = f'{now}-{attempt}'
        except OSError as err:
            raise cannot_write(root, err) from err
