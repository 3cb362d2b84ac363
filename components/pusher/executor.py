"""The Pusher's executor: pushes a blessed model that passes its smoke test."""

from __future__ import annotations

import base64
import itertools
import json
import posixpath
import time
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import json_utils, proto_utils

from components.common import features
from components.common.decision_threshold import read_decision_threshold
from components.common.model_identity import names_of_model
from components.common.model_versions import (
    SAVED_MODEL_FILE,
    complete_versions,
    digest_of_model,
    recorded_digest,
)
from components.common.rollback_state import Withdrawal, withdrawn_models
from components.common.serving_lock import serving_lock
from components.evaluator.score_details import SCORE_DETAILS_FILE, parse_score_details
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import (
    NEW_VERSION_PROPERTY,
    WITHDRAWN_AT_PROPERTY,
    WITHDRAWN_VERSION_PROPERTY,
)
from components.pusher.publish import publish
from components.served_baseline.baseline import read_baseline, require_baseline
from components.smoke_test.run import KnownScore, smoke_test

# Keys of the node's custom config.
NAME_KEY = 'name'
FINGERPRINT_KEY = 'fingerprint'

_SMOKE_TEST_TEXTS = 50


class Executor(executor.Executor):
    """Pushes a blessed model in one atomic step, and only if it may replace what is served.

    TFX's own executor copies file by file into the folder that a model server
    watches, and skips the push if another one happened in the same second. This
    one looks at what is served, and pushes nothing if

    - the model is live already: a scheduled run without new data adds no version;
    - a rollback withdrew the model: it must not come back by itself;
    - the baseline is not live any more: the candidate may be worse than what is;
    - the smoke test fails.

    It looks again while it holds the lock of the serving folder, so that another
    run or a rollback cannot come in between. These checks are made here, and not by
    a runner, so that they hold wherever the pipeline runs.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model if it is blessed; record in the artifact what happened.

        Raises:
            SmokeTestError: If the model cannot be served as it is.
            BaselineChangedError: If the baseline is not the one that the candidate
                was compared with any more.
            StoreError: If the served version is damaged.
            DataError: If the withdrawn versions cannot be read.
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
        baseline = read_baseline(
            artifact_utils.get_single_uri(input_dict[standard_component_specs.BASELINE_MODEL_KEY])
        )
        found = _find_live_or_withdrawn(model, serving_dir)
        if found is None:
            require_baseline(serving_dir, model, baseline)
            _test_serving(model, input_dict)
            card = _make_card(input_dict, exec_properties, model, digest)
            with serving_lock(serving_dir):
                found = _find_live_or_withdrawn(model, serving_dir)
                if found is None:
                    require_baseline(serving_dir, model, baseline)
                    found = publish(model, serving_dir, card, digest=digest)
                    pushed.set_int_custom_property(NEW_VERSION_PROPERTY, 1)
        if isinstance(found, Withdrawal):
            self._MarkNotPushed(pushed)
            pushed.set_string_custom_property(WITHDRAWN_VERSION_PROPERTY, found.version)
            pushed.set_string_custom_property(WITHDRAWN_AT_PROPERTY, found.at)
            return
        self._MarkPushed(pushed, pushed_destination=found, pushed_version=posixpath.basename(found))


def _find_live_or_withdrawn(model: str, serving_dir: str) -> str | Withdrawal | None:
    """Return the live version if it is this model, or the withdrawal of this model."""
    names = names_of_model(model)
    live = next(complete_versions(serving_dir), None)
    if live is not None and names & _sound_names(live):
        return live
    withdrawn = withdrawn_models(serving_dir)
    return next((withdrawn[name] for name in names if name in withdrawn), None)


def _sound_names(version: str) -> frozenset[str]:
    """Return the names of the model of a version, its digest alone if its files are damaged."""
    digest = digest_of_model(version)
    if recorded_digest(version) not in (None, digest):
        return frozenset({digest})
    return names_of_model(version)


def _test_serving(model: str, input_dict: dict[str, list[Any]]) -> None:
    """Run the smoke test with the first texts of `test`, and with those whose scores are stored."""
    files = split_files(_examples(input_dict).uri, features.TEST_SPLIT)
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(files, 'GZIP')
    texts = records.map(lambda record: tf.io.parse_single_example(record, spec)[features.TEXT_KEY])
    first = itertools.islice(texts.as_numpy_iterator(), _SMOKE_TEST_TEXTS)
    evaluation = artifact_utils.get_single_uri(input_dict[standard_component_specs.EVALUATION_KEY])
    path = posixpath.join(evaluation, SCORE_DETAILS_FILE)
    known = {}
    if fileio.exists(path):  # An older version did not write it.
        with fileio.open(path, 'rb') as file:
            details = parse_score_details(file.read())
        shown = (*details.mistakes, *details.uncertain)
        known = {example.text: example.probability for example in shown if not example.cut}
    scores = [KnownScore(*score) for score in known.items()]
    if _settings_of(model)['trainer']['model']['architecture'] == features.MODULE_ARCHITECTURE:
        scores = _with_examples(scores, files)
    smoke_test(model, texts=[text.decode() for text in first], known=scores)


def _with_examples(scores: list[KnownScore], files: list[str]) -> list[KnownScore]:
    """Add their examples, which a user's model may need; leave out texts that occur twice."""
    wanted = {score.text.encode() for score in scores}
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    found: dict[bytes, list[bytes]] = {}
    for batch in tf.data.TFRecordDataset(files, 'GZIP').batch(1_000):
        texts = tf.io.parse_example(batch, spec)[features.TEXT_KEY].numpy()
        for text, example in zip(texts, batch.numpy()):
            if text in wanted:
                found.setdefault(text, []).append(example)
    return [
        score._replace(example=base64.b64encode(examples[0]).decode())
        for score in scores
        if len(examples := found.get(score.text.encode(), [])) == 1
    ]


def _settings_of(model: str) -> dict[str, Any]:
    with fileio.open(posixpath.join(model, 'assets.extra', features.SETTINGS_ASSET)) as file:
        settings: dict[str, Any] = json.loads(file.read())
    return settings


def _signatures_of(model: str) -> frozenset[str]:
    with fileio.open(posixpath.join(model, SAVED_MODEL_FILE), 'rb') as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    return frozenset(saved.meta_graphs[0].signature_def)


def _examples(input_dict: dict[str, list[Any]]) -> Artifact:
    return artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])


def _make_card(
    input_dict: dict[str, list[Any]], exec_properties: dict[str, Any], model_dir: str, digest: str
) -> str:
    # Imported here because they need TFMA, which takes seconds to import.
    from components.evaluator.evaluation import read_evaluation
    from components.pusher.model_card import CardFacts, write_card

    config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
    examples = _examples(input_dict)
    evaluation = artifact_utils.get_single_uri(input_dict[standard_component_specs.EVALUATION_KEY])
    return write_card(
        CardFacts(
            name=config[NAME_KEY],
            data=ExamplesSummary.read(examples.uri),
            spans=examples.get_string_custom_property(SPANS_PROPERTY),
            evaluation=read_evaluation(evaluation),
            settings=_settings_of(model_dir),
            signatures=_signatures_of(model_dir),
            pushed=time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
            fingerprint=config[FINGERPRINT_KEY],
            digest=digest,
            decision=read_decision_threshold(model_dir),
        )
    )
