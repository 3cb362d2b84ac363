"""The `preprocessing_fn` of the Transform node, if a user's module has one."""

from __future__ import annotations

import inspect
from typing import Any

from components.user_module.loading import call, load_module
from components.user_module.source import MODULE_KEY, PREPROCESSING_FN

CONFIG_KEY = 'config'


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Call the user's function.

    Args:
        inputs: The features of the schema.
        custom_config: The reference to the module, and the `custom_config` of the user's
            function: under `text` the fields of `TextSettings`, and what the settings of
            the model have in `config`.

    Returns:
        What it returns.
    """
    function = getattr(load_module(custom_config[MODULE_KEY]), PREPROCESSING_FN, None)
    takes_config = function and 'custom_config' in inspect.signature(function).parameters
    config = {'custom_config': custom_config[CONFIG_KEY]} if takes_config else {}
    found: dict[str, Any] = call(custom_config[MODULE_KEY], PREPROCESSING_FN, inputs, **config)
    return found
