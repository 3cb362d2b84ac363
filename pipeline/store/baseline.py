"""The model blessed last, which a candidate is compared with: it must not be lost unseen."""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from tfx.types import artifact_utils

from components.common.errors import StoreError
from components.common.model_versions import same_model
from components.common.rollback_state import withdrawn_models
from components.served_baseline.strategy import (
    BLESSING_KEY,
    CANDIDATE_KEY,
    MODEL_KEY,
    blessed_models,
    digest_of_artifact,
)
from pipeline.local.lock import BusyError
from pipeline.models import versions
from pipeline.settings.config import PipelineConfig
from pipeline.store import manifest
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.root_id import GONE, is_within_reach

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


def check_blessed(
    store: Any,
    config: PipelineConfig,
    keeper: ArtifactKeeper,
    candidates: Sequence[Any],
    *,
    shared: bool = False,
) -> str:
    """Check the model that the resolver will find; put it back if it is not what it was.

    It is the one blessed last, whose folder is there; those that are lost are passed over.

    Args:
        store: The ML Metadata store.
        config: The settings. What a rollback withdrew from the folder of versions
            does not count.
        keeper: Knows what was written.
        candidates: The models of this run, which do not count.
        shared: Whether a model may be another root's, which is left as it is.

    Returns:
        What a person should know of it, or an empty string.

    Raises:
        StoreError: If it is damaged, and cannot be put back; or if one that was
            blessed later is below a root that cannot be reached.
    """
    told: list[str] = []
    known = known_models(store, config.name, candidates)
    for model, _ in blessed_models(store, known, str(config.serving_path)):
        told.append(_require_whole(model, config, keeper, shared=shared))
        if pathlib.Path(model.uri).exists():
            break
    return '; '.join(filter(None, told))


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
    known = known_models(store, name, candidates)
    blessed = (model for model, _ in blessed_models(store, known, str(serving_dir)))
    latest = next((model for model in blessed if not _is_lost(model)), None)
    ours = {model.id for model in (*candidates, *compared_with)}
    if latest is None or latest.id in ours:
        return
    digests = {digest_of_artifact(model) for model in (*candidates, *compared_with)}
    if pathlib.Path(latest.uri).is_dir() and digest_of_artifact(latest) in digests:
        return
    withdrawn = withdrawn_models(str(serving_dir)).keys()
    if any(digest_of_artifact(model) in withdrawn for model in compared_with):
        why = 'a rollback withdrew the model that this one was compared with'
    else:
        why = f'another run of {name} blessed a model meanwhile, {latest.uri}'
    raise BusyError(
        f'nothing is pushed: {why}', hint='the same command compares it with the one that counts'
    )


def require_same_live(
    live: pathlib.Path | None, compared: pathlib.Path | None, candidate: pathlib.Path
) -> None:
    """Check that what is served is what it was when the baseline was chosen.

    Args:
        live: The version that is live.
        compared: The one that was.
        candidate: The model of this run, as it was exported.

    Raises:
        BusyError: If it is another one, and not the candidate itself.
    """
    if live == compared or (live is not None and same_model(str(live), str(candidate))):
        return
    was, now = (path.name if path else 'none' for path in (compared, live))
    raise BusyError(
        f'nothing is pushed: the live version was {was} when the baseline was chosen, and is {now}',
        hint='the same command compares the model with what is live',
    )


def _is_lost(model: Any) -> bool:
    """Whether a model was deleted, and is not only out of reach."""
    folder = pathlib.Path(model.uri)
    root = manifest.root_of(folder)
    return not folder.exists() and (root is None or is_within_reach(root))


def _require_whole(
    model: Any, config: PipelineConfig, keeper: ArtifactKeeper, *, shared: bool
) -> str:
    """Check a blessed model; put it back, or say that it is lost."""
    found = keeper.damage(model)
    if not found:
        return ''
    folder = pathlib.Path(model.uri)
    path, origin = manifest.manifest_path(folder), manifest.root_of(folder)
    written = manifest.load(path) if path else None
    if shared and origin is not None and origin != config.root_path:
        if not is_within_reach(origin):
            there = shlex.quote(str(origin))
            mark = shlex.quote(str(origin / GONE))
            raise StoreError(
                f'the model blessed last, which the candidate is compared with, {folder}, is '
                'below a root that cannot be reached from here',
                hint=f'mount {there} here; if it is gone for good, mkdir -p {there} && touch {mark}'
                ' says so, and the one blessed before counts',
            )
        written = None
    for version in reversed(versions.versions(config.serving_path)):
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
