"""Removes old versions."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import NamedTuple

from components.common.rollback_state import record_identities
from components.common.serving_lock import PART_SUFFIX, serving_lock
from pipeline.models.listing import ServingFolder, Version, require_versions
from pipeline.models.rollback import readable_errors


class Pruned(NamedTuple):
    """A version that is kept or removed.

    Attributes:
        version: The version.
        why: Why it is kept; None if it is removed.
    """

    version: Version
    why: str | None


def prune(folder: ServingFolder, *, keep: int, dry_run: bool = False) -> list[Pruned]:
    """Remove the oldest versions, each in one atomic step.

    The live version, which is the baseline of the next run, is always kept. The version
    that it restores is kept, too.

    Args:
        folder: The serving folder.
        keep: Number of the newest versions to keep, at least 1.
        dry_run: Whether to remove nothing.

    Returns:
        All versions, oldest first.

    Raises:
        DataError: If there is no version, or the folder is not writable.
        ComponentError: If another process holds the lock of the folder.

    Example:
        removed = [v.name for v, why in prune(ServingFolder(root='runs'), keep=3) if why is None]
    """
    require_versions(folder)
    if dry_run:
        return _plan(folder, keep)
    with readable_errors(folder.path), serving_lock(str(folder.path)):
        plan = _plan(folder, keep)
        record_identities(str(folder.path))
        for version, why in plan:
            if why is None:
                # Renamed first, so that no model server sees half of a version.
                hidden = version.path.with_name(f'.{uuid.uuid4().hex}{PART_SUFFIX}')
                os.rename(version.path, hidden)
                shutil.rmtree(hidden)
    return plan


def _plan(folder: ServingFolder, keep: int) -> list[Pruned]:
    versions = require_versions(folder)
    live = versions[-1]
    reasons: dict[str, str] = {v.name: f'one of the newest {keep}' for v in versions[-keep:]}
    if live.restores is not None:
        reasons[live.restores] = 'restored by the live version'
    reasons[live.name] = 'live'
    return [Pruned(version, reasons.get(version.name)) for version in versions]
