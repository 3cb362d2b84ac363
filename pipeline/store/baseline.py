"""The model blessed last, which a candidate is compared with: it must not be lost unseen."""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.baseline_resolver.strategy import (
    BLESSING_KEY,
    CANDIDATE_KEY,
    MODEL_KEY,
    blessed_models,
)
from components.errors import StoreError
from components.served_models import digest_of_model
from pipeline import serving_store
from pipeline.run_lock import BusyError
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


def require_latest(
    store: Any,
    name: str,
    candidates: Sequence[Any],
    serving_dir: pathlib.Path,
    *,
    compared_with: Sequence[Any],
) -> None:
    """Check that what a candidate was compared with is still the model blessed last.

    Where roots share a store, another run may have blessed one meanwhile, and the
    candidate may be the worse one of the two.

    Args:
        store: The ML Metadata store.
        name: Of the pipeline.
        candidates: The models of this run.
        serving_dir: The folder of versions.
        compared_with: The baseline of this run, at most one model.

    Raises:
        BusyError: If another one is.
    """
    latest = latest_blessed(store, name, candidates, serving_dir)
    if latest is None or latest.id in {model.id for model in compared_with}:
        return
    ours = {digest_of_model(path_utils.serving_model_path(model.uri)) for model in candidates}
    theirs = pathlib.Path(path_utils.serving_model_path(latest.uri))
    if not theirs.is_dir() or digest_of_model(str(theirs)) not in ours:
        raise BusyError(
            f'nothing is pushed: another run of {name} blessed a model meanwhile, {latest.uri}, '
            'with which this one was not compared',
            hint='the same command compares them',
        )


def require_whole(
    model: Any,
    keeper: ArtifactKeeper,
    root: pathlib.Path,
    serving_dir: pathlib.Path,
    *,
    shared: bool = False,
) -> str:
    """Check a baseline; put it back from what is served if it is not what it was.

    Args:
        model: Artifact of the model.
        keeper: Knows what was written.
        root: The folder for all that runs write.
        serving_dir: The folder of versions, a copy of each blessed model.
        shared: Whether the model may be another root's, which is left as it is.

    Returns:
        What a person should know of it, or an empty string.

    Raises:
        StoreError: If it is damaged, and cannot be put back.
    """
    found = keeper.damage(model)
    if not found:
        return ''
    folder = pathlib.Path(model.uri)
    path, origin = manifest.manifest_path(folder), manifest.root_of(folder)
    written = manifest.load(path) if path else None
    if shared and origin is not None and origin != root:
        if not origin.is_dir():
            there = shlex.quote(str(origin))
            raise StoreError(
                f'the model blessed last, which the candidate is compared with, {folder}, is '
                'below a root that cannot be reached from here',
                hint=f'mount {there} here; if it is gone for good, mkdir -p {there} says so, and '
                'the one blessed before counts',
            )
        written = None
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
