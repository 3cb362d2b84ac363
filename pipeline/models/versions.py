"""The versions in a serving folder on the disk."""

from __future__ import annotations

import pathlib

from components.common.model_versions import complete_versions


def versions(serving_dir: pathlib.Path) -> list[pathlib.Path]:
    """Return the pushed versions that a model server would load, oldest first.

    >>> versions(pathlib.Path('no-such-folder'))
    []
    """
    return [pathlib.Path(path) for path in complete_versions(str(serving_dir))][::-1]


def live_version(serving_dir: pathlib.Path) -> pathlib.Path | None:
    """Return the version that a model server serves: the highest; None if there is none."""
    found = versions(serving_dir)
    return found[-1] if found else None
