"""The inputs of a user's Keras model, made of features by their names."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import keras
import pytest
import tensorflow as tf

from components.user_module.inputs import ModelInputs


class Transform:
    """Stands for a transform graph that returns token ids, and a number of the column `stars`."""

    transformed_names = frozenset({'tokens', 'scaled'})

    @property
    def raw_spec(self) -> Mapping[str, Any]:
        return {
            'text': tf.io.FixedLenFeature([], tf.string),
            'label': tf.io.FixedLenFeature([], tf.int64),
            'stars': tf.io.VarLenFeature(tf.int64),
            'product': tf.io.VarLenFeature(tf.string),
        }

    def computed_from(self, *names: str) -> set[str]:
        assert names == ('text',)
        return {'tokens'}

    def features(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        tokens = tf.ragged.constant([[2, 3, 4], []], tf.int64)
        return {'tokens': tokens, 'scaled': tf.constant([0.5, -1.0])}


def model_of(**inputs: tuple[list[int | None], str]) -> Any:
    """Return what `ModelInputs` reads of a functional model with these inputs."""
    layers = [keras.Input(shape, dtype=kind, name=name) for name, (shape, kind) in inputs.items()]
    return types.SimpleNamespace(inputs=layers, input=layers)


def sparse(values: list[list[Any]]) -> tf.SparseTensor:
    return tf.RaggedTensor.to_sparse(tf.ragged.constant(values))


def test_features_have_the_shapes_of_the_inputs_when_values_are_missing() -> None:
    model = model_of(
        tokens=([5], 'int32'),
        scaled=([1], 'float32'),
        stars=([], 'float32'),
        product=([1], 'string'),
        text=([1], 'string'),
    )
    inputs = ModelInputs(model, Transform(), max_tokens=9)  # type: ignore[arg-type]
    assert not inputs.needs_text_alone
    found = inputs(
        {
            'text': tf.constant(['a', 'b']),
            'stars': sparse([[4], []]),
            'product': sparse([[], ['tea']]),
        }
    )
    assert {name: value.numpy().tolist() for name, value in found.items()} == {
        'tokens': [[2, 3, 4, 0, 0], [0] * 5],
        'scaled': [[0.5], [-1.0]],
        'stars': [4.0, 0.0],
        'product': [[b''], [b'tea']],
        'text': [[b'a'], [b'b']],
    }
    assert found['tokens'].dtype == tf.int32
    nothing = tf.sparse.from_dense(tf.zeros([2, 0], tf.int64))
    without = inputs(
        {'text': tf.constant(['a', 'b']), 'stars': nothing, 'product': sparse([[], []])}
    )
    assert without['stars'].numpy().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ('model', 'expected'),
    [
        (model_of(x=([], 'string')), [b'a', b'b']),
        (model_of(x=([None], 'int64')), [[2, 3, 4, 0], [0] * 4]),
        (keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]), [[2, 3], [0, 0]]),
    ],
)
def test_single_input_gets_texts_or_tokens_whatever_its_name(
    model: keras.Model, expected: Any
) -> None:
    inputs = ModelInputs(model, Transform(), max_tokens=4)  # type: ignore[arg-type]
    assert inputs.needs_text_alone
    assert inputs({'text': tf.constant(['a', 'b'])}).numpy().tolist() == expected


def test_names_are_those_of_the_dictionary_when_a_model_has_one() -> None:
    text, scaled = keras.Input([1], dtype='string'), keras.Input([1])
    by_name = {'text': text, 'scaled': scaled}
    model: Any = types.SimpleNamespace(inputs=[scaled, text], input=by_name)
    inputs = ModelInputs(model, Transform(), max_tokens=4)  # type: ignore[arg-type]
    assert set(inputs({'text': tf.constant(['a', 'b'])})) == {'text', 'scaled'}
