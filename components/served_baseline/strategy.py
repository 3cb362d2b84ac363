"""Finds the blessed model that a candidate has to be compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components.common.model_versions import digest_of_model
from components.common.rollback_state import withdrawn_models

CANDIDATE_KEY = 'candidate'
MODEL_KEY = 'model'
BLESSING_KEY = 'model_blessing'
# Of a model that no run below this root blessed: the version that it was served as.
ADOPTED_VERSION_PROPERTY = 'adopted_version'


class LatestBlessedBaselineStrategy(resolver.ResolverStrategy):
    """The model blessed last, the candidate itself left out.

    TFX's LatestBlessedModelStrategy finds the candidate again when a run is
    repeated: it would then be judged against itself, and the Evaluator's cache
    would never hold. It also takes the model trained last for the one blessed
    last. Here, "last" is the last run that blessed a model, whether that run
    evaluated it anew or took the blessing from the cache. A model that a
    rollback withdrew is left out: candidates are compared with what is served.
    A model adopted from what is served counts as blessed when it was adopted.

    Args:
        serving_dir: The folder of versions, which says what is withdrawn.
    """

    def __init__(self, serving_dir: str) -> None:
        self._serving_dir = serving_dir

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Any]]
    ) -> dict[str, list[Any]]:
        """Return the baseline and its blessing; empty lists if there is none.

        Args:
            store: The ML Metadata store.
            input_dict: `candidate`: this run's model; `model` and
                `model_blessing`: all of this pipeline.

        Raises:
            DataError: If it cannot be told what is withdrawn.
        """
        for model, blessing in blessed_models(store, input_dict, self._serving_dir):
            if fileio.exists(model.uri):
                return {CANDIDATE_KEY: [], MODEL_KEY: [model], BLESSING_KEY: [blessing]}
        return {CANDIDATE_KEY: [], MODEL_KEY: [], BLESSING_KEY: []}


def blessed_models(
    store: Any, input_dict: dict[str, list[Any]], serving_dir: str
) -> Iterator[tuple[Any, Any]]:
    """Yield the blessed models and their blessings, the one blessed or adopted last first.

    Args:
        store: The ML Metadata store.
        input_dict: As of the strategy; the candidate is left out.
        serving_dir: The folder of versions; what is withdrawn from it is left out.

    Raises:
        DataError: If it cannot be told what is withdrawn.
    """
    withdrawn = withdrawn_models(serving_dir).keys()
    candidates = {artifact.id for artifact in input_dict[CANDIDATE_KEY]}
    models = {artifact.id: artifact for artifact in input_dict[MODEL_KEY]}
    blessings = [b for b in input_dict[BLESSING_KEY] if _is_blessed(b)]
    latest = ((models.get(_judged_model(b)), b) for b in _latest_first(store, blessings))
    for model, blessing in latest:
        if model is None or model.id in candidates:
            continue
        if not (withdrawn and digest_of_artifact(model) in withdrawn):
            yield model, blessing


def adopted_version(model: Any) -> str | None:
    """Return the version that an adopted model was served as, None of any other model."""
    return model.get_string_custom_property(ADOPTED_VERSION_PROPERTY) or None


def digest_of_artifact(model: Any) -> str:
    """Return the digest of what a Model artifact serves; see `digest_of_model`."""
    return digest_of_model(path_utils.serving_model_path(model.uri))


def _is_blessed(blessing: Any) -> bool:
    value = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
    return bool(value == constants.BLESSED_VALUE)


def _judged_model(blessing: Any) -> int:
    return int(blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY))


def _latest_first(store: Any, blessings: list[Any]) -> list[Any]:
    """Order by the last execution that put the blessing out."""
    if not blessings:
        return []
    latest: dict[int, int] = {}
    for event in store.get_events_by_artifact_ids([b.id for b in blessings]):
        if event.type == type(event).OUTPUT:
            latest[event.artifact_id] = max(latest.get(event.artifact_id, 0), event.execution_id)
    return sorted(blessings, key=lambda b: latest.get(b.id, 0), reverse=True)
