"""Removes old versions, and none that anybody needs."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.common.serving_lock import PART_SUFFIX, serving_lock
from pipeline.models.listing import Place, Version, load_records, require_versions
from pipeline.models.rollback import readable_errors


class Pruned(NamedTuple):
    """What becomes of a version.

    Attributes:
        version: Which.
        why: Why it is kept; None if it is removed.
    """

    version: Version
    why: str | None


def prune(place: Place, *, keep: int, dry_run: bool = False) -> list[Pruned]:
    """Remove the oldest versions, each at once.

    What is live is kept, what it restores, and the version of the model that
    the next candidate is compared with.

    Args:
        place: Where the versions are.
        keep: How many of the newest to keep, at least 1.
        dry_run: Whether to remove nothing.

    Returns:
        What becomes of each version, oldest first.

    Raises:
        DataError: If there is none, or the folder cannot be written to.
        ComponentError: If another process holds the folder.
    """
    require_versions(place)
    if dry_run:
        return _plan(place, keep)
    with readable_errors(place.path), serving_lock(str(place.path)):
        plan = _plan(place, keep)
        for version, why in plan:
            if why is None:
                # It is no version any more before the first of its files goes.
                aside = version.path.with_name(f'.{uuid.uuid4().hex}{PART_SUFFIX}')
                os.rename(version.path, aside)
                shutil.rmtree(aside)
    return plan


def _plan(place: Place, keep: int) -> list[Pruned]:
    versions = require_versions(place)
    live = versions[-1]
    reasons: dict[str, str] = {v.name: f'one of the newest {keep}' for v in versions[-keep:]}
    baseline = _baseline(versions, load_records(place))
    if baseline is not None:
        reasons[baseline] = 'the baseline: blessed last'
    if live.restores is not None:
        reasons[live.restores] = 'what the live one restores'
    reasons[live.name] = 'live'
    return [Pruned(version, reasons.get(version.name)) for version in versions]


def _baseline(
    versions: Sequence[Version], records: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the version of the model that a run blessed last, and that is not withdrawn."""
    usable = {str(version.path): version.name for version in versions if not version.withdrawal}
    pushed = (record['pushed']['path'] for record in reversed(records) if record['pushed'])
    return next((usable[path] for path in pushed if path in usable), None)
