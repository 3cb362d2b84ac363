"""The model blessed last, which a candidate is compared with: it must not be lost unseen."""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from tfx.types import artifact_utils

from components.baseline_resolver.strategy import (
    BLESSING_KEY,
    CANDIDATE_KEY,
    MODEL_KEY,
    blessed_models,
)
from components.errors import StoreError
from pipeline import serving_store
from pipeline.store import manifest
from pipeline.store.artifacts import ArtifactKeeper

_SERVED_PART = 'Format-Serving'


def known_models(
    store: Any, name: str, candidates: Sequence[Any]
) -> dict[str, list[Any]]:
    """Return what the resolver of the baseline is given, by the names of its inputs.

    Args:
        store: The ML Metadata store.
        name: Of the pipeline.
        candidates: The models of this run.
    """
    context = store.get_context_by_type_and_name('pipeline', name)
    found = store.get_artifacts_by_context(context.id) if context else []
    live = [a for a in found if a.state == a.LIVE]
    types = {t.id: t for t in store.get_artifact_types_by_id({a.type_id for a in live})}

    def of(kind: str) -> list[Any]:
        return [
            artifact_utils.deserialize_artifact(types[a.type_id], a)
            for a in live
            if types[a.type_id].name == kind
        ]

    return {
        CANDIDATE_KEY: list(candidates),
        MODEL_KEY: of('Model'),
        BLESSING_KEY: of('ModelBlessing'),
    }


def latest_blessed(
    store: Any, name: str, candidates: Sequence[Any], serving_dir: pathlib.Path
) -> Any | None:
    """Return the model blessed last, wherever its folder is; None if there is none.

    Args:
        store: The ML Metadata store.
        name: Of the pipeline.
        candidates: The models of this run, which do not count.
        serving_dir: The folder of versions; what a rollback withdrew does not count.
    """
    known = known_models(store, name, candidates)
    return next((model for model, _ in blessed_models(store, known, str(serving_dir))), None)


def require_whole(
    model: Any, keeper: ArtifactKeeper, root: pathlib.Path, serving_dir: pathlib.Path
) -> str:
    """Check a baseline; put it back from what is served if it is not what it was.

    Args:
        model: Artifact of the model.
        keeper: Knows what was written.
        root: The folder for all that runs write.
        serving_dir: The folder of versions, a copy of each blessed model.

    Returns:
        What a person should know of it, or an empty string.

    Raises:
        StoreError: If it is damaged, and cannot be put back.
    """
    found = keeper.damage(model)
    if not found:
        return ''
    folder = pathlib.Path(model.uri)
    path = manifest.manifest_path(root, folder)
    written = manifest.load(path) if path else None
    for version in reversed(serving_store.versions(serving_dir)):
        if written and _put_back(version, folder, written):
            return f'put back from version {version.name}: {found}'
    if not folder.exists():
        return f'the model blessed last is lost: {found}'
    raise StoreError(
        f'the model blessed last, which the candidate is compared with, is damaged: {found}',
        hint=f'put it back, or rm -r {shlex.quote(str(folder))}: then the one before it counts',
    )


def _put_back(version: pathlib.Path, folder: pathlib.Path, written: manifest.Manifest) -> bool:
    """Copy a pushed version into the folder of the model that it was, if it is that one."""
    served = {
        name.removeprefix(f'{_SERVED_PART}/'): file
        for name, file in written.items()
        if name.startswith(f'{_SERVED_PART}/')
    }
    if len(served) != len(written) or manifest.damage(version, served, only_these=True):
        return False
    part = folder.with_name(f'.{folder.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    for name in served:
        target = part / _SERVED_PART / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(version / name, target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(part, folder)
    return True
