from __future__ import annotations

import inspect
import json
import pydoc

from tfx.types import channel_utils, standard_artifacts

from components.common.settings import TextSettings
from components.transform.component import make_transform
from components.transform.preprocessing import SETTINGS_KEY, preprocessing_fn

TEXT = TextSettings(vocab_size=77, max_tokens=9)


def test_node_has_function_settings_and_splits_when_it_is_made() -> None:
    examples, schema = (
        channel_utils.as_channel([artifact()])
        for artifact in (standard_artifacts.Examples, standard_artifacts.Schema)
    )
    node = make_transform(examples, schema, TEXT)
    assert node.id == 'Transform'
    # TFX's executor imports the module of the function again.
    found = pydoc.locate(node.exec_properties['preprocessing_fn'])
    assert inspect.getsource(found) == inspect.getsource(preprocessing_fn)
    custom_config = json.loads(node.exec_properties['custom_config'])
    assert TextSettings.model_validate(custom_config[SETTINGS_KEY]) == TEXT
    # The vocabulary must not contain words of the splits that evaluate the model.
    assert json.loads(node.exec_properties['splits_config']) == {'analyze': ['train']}
