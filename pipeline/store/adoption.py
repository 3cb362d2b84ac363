"""Takes what is served for the baseline where ML Metadata does not know it.

With a new root, after the metadata or a model is lost, or where another root pushes
into the same folder, what is served is none of the models that ML Metadata knows as
blessed; but it was, and a worse one must not be pushed over it.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants
from tfx.dsl.compiler import constants as contexts
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib
from tfx.types.standard_artifacts import Model, ModelBlessing
from tfx.utils import path_utils

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model, model_files, recorded_digest
from components.common.serving_lock import serving_lock
from components.served_baseline.strategy import (
    ADOPTED_VERSION_PROPERTY,
    BLESSING_KEY,
    MODEL_KEY,
    blessed_models,
    digest_of_artifact,
)
from components.smoke_test.run import SmokeTestError, smoke_test
from pipeline.models import versions
from pipeline.settings.config import PipelineConfig
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.backend import OwnContext
from pipeline.store.baseline import known_models

# What ML Metadata calls it: the type of the execution, and its node.
NODE_ID = 'ServedModel'


def adopt_served(
    handle: metadata.Metadata,
    config: PipelineConfig,
    keeper: ArtifactKeeper,
    candidates: Sequence[Any],
    own: OwnContext,
) -> None:
    """Record the live version as a blessed model, if no blessed model is that one.

    Nothing happens if nothing is served, or the candidate itself.

    Args:
        handle: The ML Metadata store.
        config: The settings.
        keeper: Is told what was copied.
        candidates: The model of this run.
        own: The context of what is executed below this root.

    Raises:
        StoreError: If the live version is damaged: nobody can tell then how good
            what is served was.
        DataError: If it cannot be told what is withdrawn.
        ComponentError: If another process holds the folder of versions.
    """
    serving_dir = config.serving_path
    live = versions.live_version(serving_dir)
    if live is None or _is_known(handle.store, config, candidates, live):
        return
    with serving_lock(str(serving_dir)):  # nobody removes it meanwhile, or adopts it, too
        live = versions.live_version(serving_dir)
        if live is None or _is_known(handle.store, config, candidates, live):
            return
        _require_whole(live)
        _record(handle, config, keeper, live, own)


def _is_known(
    store: Any, config: PipelineConfig, candidates: Sequence[Any], live: pathlib.Path
) -> bool:
    """Whether a version is a candidate or a blessed model whose folder is there."""
    digest = _digest_as_pushed(live)
    known = known_models(store, config.name, candidates)
    blessed = (model for model, _ in blessed_models(store, known, str(config.serving_path)))
    return any(
        digest == digest_of_artifact(model)
        for model in itertools.chain(candidates, blessed)
        if pathlib.Path(model.uri).exists()
    )


def _digest_as_pushed(version: pathlib.Path) -> str:
    """Return which model a version is, also if it was damaged since."""
    try:
        return recorded_digest(str(version)) or digest_of_model(str(version))
    except OSError as err:
        raise _damaged(version, str(err)) from err


def _require_whole(version: pathlib.Path) -> None:
    try:
        recorded, digest = recorded_digest(str(version)), digest_of_model(str(version))
    except OSError as err:
        raise _damaged(version, str(err)) from err
    if recorded is None:
        try:
            smoke_test(str(version), must_explain=False)
        except SmokeTestError as err:
            raise _damaged(version, str(err)) from err
    elif recorded != digest:
        raise _damaged(version, 'its files are not those that its card was written for')


def _damaged(version: pathlib.Path, why: str) -> StoreError:
    return StoreError(
        f'{version}, which is live, is damaged, and no model that ML Metadata knows, so that the '
        f'candidate cannot be compared with it: {why}',
        hint=f'put it back, or rm -r {shlex.quote(str(version))}: then the version before it counts'
        ', if there is one',
    )


def _record(
    handle: metadata.Metadata,
    config: PipelineConfig,
    keeper: ArtifactKeeper,
    live: pathlib.Path,
    own: OwnContext,
) -> None:
    """Copy a version below the root, and publish it as a model and its blessing."""
    # Not into the context of the run: no node of it made the model, or knows its data.
    in_contexts = [
        context_lib.register_context_if_not_exists(handle, kind, name)
        for kind, name in dict.fromkeys(
            (
                (contexts.PIPELINE_CONTEXT_TYPE_NAME, config.name),
                (contexts.NODE_CONTEXT_TYPE_NAME, f'{config.name}.{NODE_ID}'),
                own,
            )
        )
    ]
    kind = metadata_store_pb2.ExecutionType(name=NODE_ID)
    # If the process is killed from here on, the next run removes what has this id.
    execution = execution_publish_utils.register_execution(handle, kind, in_contexts)
    folder = config.pipeline_root / NODE_ID
    model, blessing = Model(), ModelBlessing()
    model.uri = str(folder / MODEL_KEY / str(execution.id))
    blessing.uri = str(folder / BLESSING_KEY / str(execution.id))
    try:
        _copy(live, pathlib.Path(model.uri), folder / '.system' / 'copying' / str(execution.id))
        path = pathlib.Path(blessing.uri, constants.BLESSED_FILE_NAME)
        path.parent.mkdir(parents=True)
        path.touch()
    except Exception:
        shutil.rmtree(model.uri, ignore_errors=True)
        shutil.rmtree(blessing.uri, ignore_errors=True)
        execution_publish_utils.publish_failed_execution(handle, in_contexts, execution.id)
        raise
    keeper.keep({MODEL_KEY: [model], BLESSING_KEY: [blessing]})
    model.set_string_custom_property(ADOPTED_VERSION_PROPERTY, live.name)

    def publish(key: str, artifact: Any) -> int:
        """Return the id that the artifact gets; TFX publishes a copy of it."""
        published, _ = execution_publish_utils.publish_succeeded_execution(
            handle, execution.id, in_contexts, {key: [artifact]}
        )
        return int(published[key][0].id)

    model_id = publish(MODEL_KEY, model)
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.BLESSED_VALUE
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model_id)
    publish(BLESSING_KEY, blessing)


def _copy(version: pathlib.Path, model: pathlib.Path, part: pathlib.Path) -> None:
    """Copy a version's model, laid out as the Trainer does; it appears by a rename."""
    try:
        for name in model_files(str(version)):
            target = pathlib.Path(path_utils.serving_model_dir(str(part)), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(version / name, target)
        model.parent.mkdir(parents=True, exist_ok=True)
        os.rename(part, model)
    finally:
        shutil.rmtree(part, ignore_errors=True)
