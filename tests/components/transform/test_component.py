from __future__ import annotations

import json
import pydoc

from tfx.types import channel_utils, standard_artifacts

from components.common.settings import TextSettings
from components.transform.component import make_transform
from components.transform.preprocessing import SETTINGS_KEY, preprocessing_fn

TEXT = TextSettings(vocab_size=77, max_tokens=9)


def test_worker_gets_function_and_settings_when_the_node_is_made() -> None:
    examples, schema = (
        channel_utils.as_channel([artifact()])
        for artifact in (standard_artifacts.Examples, standard_artifacts.Schema)
    )
    node = make_transform(examples, schema, TEXT)
    assert node.id == 'Transform'
    assert pydoc.locate(node.exec_properties['preprocessing_fn']) is preprocessing_fn
    custom_config = json.loads(node.exec_properties['custom_config'])
    assert TextSettings.model_validate(custom_config[SETTINGS_KEY]) == TEXT
    # The vocabulary must not know what the model is measured on.
    assert json.loads(node.exec_properties['splits_config']) == {'analyze': ['train']}
