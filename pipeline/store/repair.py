"""What `repair` does: makes the metadata of a root usable again."""

from __future__ import annotations

import contextlib
import json
import pathlib

from components.common.errors import DataError
from pipeline.local.lock import run_lock
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_root


def repair(root: pathlib.Path, settings: MetadataSettings | None, *, as_json: bool) -> None:
    """Mend the metadata, and say what was done.

    Args:
        root: The folder for all that runs write.
        settings: Of the store; None for that of the latest run below the root.
        as_json: Print JSON for machines.

    Raises:
        DataError: If no run has written there, and no other store is named.
        StoreError: If it cannot be mended from here.
        ServiceError: If its server cannot be used.
        ConfigError: If a run is under way.
    """
    backend = backend_of_root(root, settings)
    if not root.is_dir() and not backend.shared:
        raise DataError(f'no run below {root}', hint='name its --root')
    with contextlib.ExitStack() as stack:
        for lock in root.glob('locks/*.lock'):
            stack.enter_context(run_lock(root, lock.stem))
        done = backend.mend()
    if as_json:
        print(json.dumps({'metadata': backend.where, 'done': done}, indent=2))
        return
    for line in done or [f'{backend.where} is as it should be; a run checks all else by itself']:
        print(line)
