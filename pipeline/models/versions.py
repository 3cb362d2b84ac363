"""The folder of pushed versions: which there are, and which one is live."""

from __future__ import annotations

import pathlib

from components.common.model_versions import SAVED_MODEL_FILE


def versions(serving_dir: pathlib.Path) -> list[pathlib.Path]:
    """Return the pushed versions, oldest first, as a model server sees them."""
    if not serving_dir.is_dir():
        return []
    found = [
        path
        for path in serving_dir.iterdir()
        if path.name.isdecimal() and (path / SAVED_MODEL_FILE).is_file()
    ]
    return sorted(found, key=lambda path: int(path.name))


def live_version(serving_dir: pathlib.Path) -> pathlib.Path | None:
    """Return the version that a model server would serve: the highest."""
    found = versions(serving_dir)
    return found[-1] if found else None
