"""The folder of pushed versions: which there are, and which one is live."""

from __future__ import annotations

import filecmp
import os
import pathlib

from components import features


def versions(serving_dir: pathlib.Path) -> list[pathlib.Path]:
    """Return the pushed versions, oldest first, as a model server sees them."""
    if not serving_dir.is_dir():
        return []
    found = [
        path
        for path in serving_dir.iterdir()
        if path.name.isdecimal() and (path / 'saved_model.pb').is_file()
    ]
    return sorted(found, key=lambda path: int(path.name))


def live_version(serving_dir: pathlib.Path) -> pathlib.Path | None:
    """Return the version that a model server would serve: the highest."""
    found = versions(serving_dir)
    return found[-1] if found else None


def same_model(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Tell whether two SavedModels are equal file by file, model cards aside."""
    files = _files(one)
    if files != _files(other):
        return False
    _, mismatch, errors = filecmp.cmpfiles(one, other, files, shallow=False)
    return not mismatch and not errors


def _files(folder: pathlib.Path) -> list[str]:
    names = {
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
    }
    return sorted(names - {os.path.join('assets.extra', features.MODEL_CARD)})
