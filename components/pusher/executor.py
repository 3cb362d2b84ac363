"""Pushes a blessed model that stands its smoke test, as a whole, or not at all."""

from __future__ import annotations

import json
import posixpath
import time
from typing import Any

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import json_utils, proto_utils

from components.common import features
from components.common.model_versions import complete_versions, digest_of_model
from components.common.rollback_state import Withdrawal, withdrawn_models
from components.common.serving_lock import serving_lock
from components.example_gen.summary import SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import WITHDRAWN_AT_PROPERTY, WITHDRAWN_VERSION_PROPERTY
from components.pusher.publish import publish
from components.pusher.smoke_test_texts import first_texts, known_scores
from components.smoke_test.run import smoke_test

# In the node's custom config.
NAME_KEY = 'name'
FINGERPRINT_KEY = 'fingerprint'


class Executor(executor.Executor):
    """TFX's executor, except that a model is tried first, and a version appears at once.

    TFX's own copies file by file into the folder that a model server watches,
    and skips the push if another one happened in the same second. Here a push
    is skipped where the model is live already: a scheduled run that finds
    nothing new would otherwise add a version each time. It is also skipped
    where a rollback has withdrawn the model: it would come back by itself.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model if it is blessed; mark the artifact either way.

        Raises:
            SmokeTestError: If the model cannot be served as it is.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination
        )
        model, serving_dir = self.GetModelPath(input_dict), destination.filesystem.base_directory
        digest = digest_of_model(model)
        found = _find(digest, serving_dir)
        if found is None:
            _try(model, input_dict)
            card = _card(input_dict, exec_properties, model, digest)
            with serving_lock(serving_dir):
                # Another process may have pushed or rolled back meanwhile.
                found = _find(digest, serving_dir) or publish(
                    model, serving_dir, card, digest=digest
                )
        if isinstance(found, Withdrawal):
            self._MarkNotPushed(pushed)
            pushed.set_string_custom_property(WITHDRAWN_VERSION_PROPERTY, found.version)
            pushed.set_string_custom_property(WITHDRAWN_AT_PROPERTY, found.at)
            return
        self._MarkPushed(pushed, pushed_destination=found, pushed_version=posixpath.basename(found))


def _find(digest: str, serving_dir: str) -> str | Withdrawal | None:
    """Return the live version if it is this model, or that it is withdrawn."""
    live = next(complete_versions(serving_dir), None)
    if live is not None and digest_of_model(live) == digest:
        return live
    return withdrawn_models(serving_dir).get(digest)


def _try(model: str, input_dict: dict[str, list[Any]]) -> None:
    evaluation = artifact_utils.get_single_uri(input_dict[standard_component_specs.EVALUATION_KEY])
    smoke_test(
        model, texts=first_texts(_examples(input_dict)), known=known_scores(evaluation)
    )


def _examples(input_dict: dict[str, list[Any]]) -> Artifact:
    return artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])


def _card(
    input_dict: dict[str, list[Any]], exec_properties: dict[str, Any], model_dir: str, digest: str
) -> str:
    # It needs TFMA, which takes seconds to import: not where nothing is pushed.
    from components.evaluator.evaluation import read_evaluation
    from components.pusher.model_card import CardFacts, write_card

    config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
    examples = _examples(input_dict)
    evaluation = artifact_utils.get_single_uri(input_dict[standard_component_specs.EVALUATION_KEY])
    with fileio.open(
        posixpath.join(model_dir, 'assets.extra', features.SETTINGS_ASSET)
    ) as file:
        settings = json.loads(file.read())
    return write_card(
        CardFacts(
            name=config[NAME_KEY],
            data=ExamplesSummary.read(examples.uri),
            spans=examples.get_string_custom_property(SPANS_PROPERTY),
            evaluation=read_evaluation(evaluation),
            settings=settings,
            pushed=time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
            fingerprint=config[FINGERPRINT_KEY],
            digest=digest,
        )
    )
