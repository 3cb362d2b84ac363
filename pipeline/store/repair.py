"""The command `repair`: makes the metadata of a pipeline root usable again."""

from __future__ import annotations

import contextlib
import json
import pathlib

from components.common.errors import DataError
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_root
from pipeline.store.run_lock import run_lock


def repair(root: pathlib.Path, settings: MetadataSettings | None, *, as_json: bool) -> None:
    """Repair the metadata, and print what was done.

    Args:
        root: The pipeline root.
        settings: Settings of the metadata store; None for the store of the latest run.
        as_json: Print JSON instead.

    Raises:
        DataError: If there is no such root.
        StoreError: If the metadata cannot be repaired.
        ServiceError: If the server cannot be used.
        ConfigError: If a run is in progress.
    """
    backend = backend_of_root(root, settings)
    if not root.is_dir() and not backend.shared:
        raise DataError(
            f'expected a pipeline root, found nothing at {root}', hint='pass --root DIR'
        )
    with contextlib.ExitStack() as stack:
        for lock in root.glob('locks/*.lock'):
            stack.enter_context(run_lock(root, lock.stem))
        done = backend.repair()
    if as_json:
        print(json.dumps({'metadata': backend.where, 'done': done}, indent=2))
        return
    for line in done or [f'{backend.where} needs no repair']:
        print(line)
