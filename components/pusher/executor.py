"""Pushes a blessed model as a whole, or not at all."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import time
import uuid
from typing import Any

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils, proto_utils

from components import features
from components.example_gen.summary import SPANS_PROPERTY, ExamplesSummary
from components.served_models import (
    CARD_PATH,
    SAVED_MODEL_FILE,
    complete_versions,
    digest_of_model,
    same_model,
    version_numbers,
)

# In the node's custom config.
NAME_KEY = 'name'
FINGERPRINT_KEY = 'fingerprint'

_REMOTE = re.compile(r'^[a-z][a-z0-9+.-]*://', re.IGNORECASE)


class Executor(executor.Executor):
    """TFX's executor, except that a version appears at once.

    TFX's own copies file by file into the folder that a model server watches,
    and skips the push if another one happened in the same second. Here a push
    is skipped where the model is live already: a scheduled run that finds
    nothing new would otherwise add a version each time.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model if it is blessed; mark the artifact either way."""
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
        live = next(complete_versions(serving_dir), None)
        if live and same_model(live, model):
            path = live
        else:
            path = push(model, serving_dir, _card(input_dict, exec_properties, model))
        self._MarkPushed(pushed, pushed_destination=path, pushed_version=posixpath.basename(path))


def _card(
    input_dict: dict[str, list[Any]], exec_properties: dict[str, Any], model_dir: str
) -> str:
    # It needs TFMA, which takes seconds to import: not where nothing is pushed.
    from components.pusher.judgement import read_judgement
    from components.pusher.model_card import CardFacts, write_card

    config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
    examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
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
            judgement=read_judgement(evaluation),
            settings=settings,
            pushed=time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
            fingerprint=config[FINGERPRINT_KEY],
            digest=digest_of_model(model_dir),
        )
    )


def push(model_dir: str, serving_dir: str, card: str) -> str:
    """Copy a SavedModel, and a card of it, into a folder of versions.

    On a local disk the copy is made aside, under a name that no model server
    takes for a version, and becomes visible by one rename. An object store has
    no rename: there `saved_model.pb`, without which nothing is a model, comes
    last.

    Args:
        model_dir: The SavedModel.
        serving_dir: Folder, local or not, that a model server watches.
        card: The model card, Markdown.

    Returns:
        The path of the new version: its name is the time in seconds since
        1970, or one more than the latest version if that is not larger.
    """
    if _REMOTE.match(serving_dir):
        path = posixpath.join(serving_dir, str(_next_version(serving_dir)))
        try:
            io_utils.copy_dir(model_dir, path, deny_regex_patterns=[r'saved_model\.pb$'])
            with fileio.open(posixpath.join(path, CARD_PATH), 'w') as file:
                file.write(card)
            io_utils.copy_file(
                posixpath.join(model_dir, SAVED_MODEL_FILE), posixpath.join(path, SAVED_MODEL_FILE)
            )
        except BaseException:
            if fileio.exists(path):
                fileio.rmtree(path)
            raise
        return path
    os.makedirs(serving_dir, exist_ok=True)
    aside = os.path.join(serving_dir, f'.{uuid.uuid4().hex}.part')
    try:
        shutil.copytree(model_dir, aside)
        os.makedirs(os.path.join(aside, os.path.dirname(CARD_PATH)), exist_ok=True)
        with open(os.path.join(aside, CARD_PATH), 'w', encoding='utf-8') as file:
            file.write(card)
        _sync(aside)
        while True:
            path = os.path.join(serving_dir, str(_next_version(serving_dir)))
            try:
                # A non-empty folder is never replaced, so a race only means another try.
                os.rename(aside, path)
            except OSError:
                if not os.path.exists(path):
                    raise
                continue
            return path
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _next_version(serving_dir: str) -> int:
    return max([int(time.time()), *(version + 1 for version in version_numbers(serving_dir))])


def _sync(folder: str) -> None:
    """Have the disk hold all files before their folder becomes a version."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), 'rb') as file:
                os.fsync(file.fileno())
