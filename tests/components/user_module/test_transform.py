"""A user's `preprocessing_fn` is called with what it takes, and must fit the model."""

from __future__ import annotations

import types
from typing import Any

import pytest
import tensorflow as tf

from components.common.errors import ComponentError
from components.trainer.serving import TransformGraph
from components.user_module.source import find_module
from components.user_module.transform import preprocessing_fn
from tests.components.user_module.conftest import Write


@pytest.mark.parametrize(
    ('name', 'source', 'expected'),
    [
        ('user_plain', 'def preprocessing_fn(inputs): return inputs', {'a': 1}),
        (
            'user_config',
            'def preprocessing_fn(inputs, custom_config): return {**inputs, **custom_config}',
            {'a': 1, 'text': {}, 'units': 3},
        ),
    ],
)
def test_function_gets_the_settings_when_it_takes_them(
    write: Write, name: str, source: str, expected: dict[str, Any]
) -> None:
    path = write(f'{name}.py', source)
    config = {
        'module': find_module(str(path)).reference(local=True),
        'config': {'text': {}, 'units': 3},
    }
    assert preprocessing_fn({'a': 1}, config) == expected


@pytest.mark.parametrize('outputs', [{}, {'tokens': tf.TensorSpec([None, 9], tf.int64)}])
def test_tokens_are_required_for_a_model_of_this_project(outputs: dict[str, Any]) -> None:
    graph = TransformGraph.__new__(TransformGraph)
    found = types.SimpleNamespace(structured_outputs={**outputs, 'other': None})
    object.__setattr__(graph, '_loaded', types.SimpleNamespace(transform_fn=found))
    with pytest.raises(ComponentError, match='expected tokens among its outputs, .* got .*other'):
        graph.require_tokens()
