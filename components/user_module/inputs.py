"""Makes the inputs of a user's Keras model from raw examples, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.trainer.serving import TransformGraph


class ModelInputs(tf.Module):
    """Maps the features of raw examples to the inputs of a model.

    The input `text`, or a single input of strings, gets the raw texts; `tokens`, or a
    single input of integers, gets token ids, padded with 0; any other gets the transformed
    feature of its name, or else the raw one.

    Args:
        model: A functional or sequential Keras model.
        transform: The transform graph.
        max_tokens: Number of token ids, if the shape of the input does not tell it.

    Raises:
        ComponentError: If the model has no inputs, or one without a feature.
    """

    def __init__(self, model: keras.Model, transform: TransformGraph, max_tokens: int) -> None:
        super().__init__()
        self._transform = transform
        self._max_tokens = max_tokens
        found = getattr(model, 'inputs', None)
        if not found:
            raise ComponentError(
                'build_model: expected a model with inputs, got one without',
                hint='make it of keras.Input, or begin keras.Sequential with a keras.Input',
            )
        # A sequential model has no `input` before it is called.
        given = getattr(model, 'input', None)
        by_name = given if isinstance(given, dict) else {each.name: each for each in found}
        single = len(by_name) == 1
        self._unnamed = single and not isinstance(given, dict)
        known = {*transform.raw_spec, *transform.transformed_names} - {features.LABEL_KEY}
        self._inputs: dict[str, tuple[Any, str]] = {}
        for name, each in by_name.items():
            feature = name
            if single and name not in known:
                is_text = tf.as_dtype(each.dtype) == tf.string
                feature = features.TEXT_KEY if is_text else features.TOKENS_KEY
            if feature not in known:
                raise ComponentError(
                    f'build_model: the input {name!r} has no feature; the features are '
                    f'{", ".join(sorted(known))}',
                    hint='give each keras.Input the name of a feature',
                )
            self._inputs[name] = (each, feature)

    @property
    def needs_text_alone(self) -> bool:
        """Whether the inputs can be computed from the texts."""
        computed = self._transform.computed_from(features.TEXT_KEY)
        return all(
            feature == features.TEXT_KEY or feature in computed
            for _, feature in self._inputs.values()
        )

    def __call__(self, raw: Mapping[str, Any]) -> Any:
        """Return what the model is called with.

        Args:
            raw: Parsed features; those that no input depends on may be missing.

        Returns:
            A tensor if the model has one input, otherwise tensors by name.
        """
        transformed = self._transform.features(raw)
        values = {
            name: self._fit(transformed.get(feature, raw.get(feature)), each)
            for name, (each, feature) in self._inputs.items()
        }
        return next(iter(values.values())) if self._unnamed else values

    def _fit(self, value: Any, each: Any) -> tf.Tensor:
        """Return a feature as a dense tensor with the type and the rank of an input."""
        width = each.shape[1] if len(each.shape) > 1 else None
        if isinstance(value, tf.RaggedTensor):
            value = value.to_tensor(features.PADDING_ID, shape=[None, width or self._max_tokens])
        elif isinstance(value, tf.SparseTensor):
            # A feature that may be missing has at most one value.
            rows = value.dense_shape[0]
            shape = tf.stack([rows, tf.constant(width or 1, tf.int64)])
            value = tf.sparse.reset_shape(value, tf.maximum(shape, value.dense_shape))
            value = tf.sparse.to_dense(value, '' if value.dtype == tf.string else 0)
            value = value[:, : width or 1]
        rank = len(each.shape)
        if value.shape.rank == 1 and rank == 2:
            value = value[:, tf.newaxis]
        elif value.shape.rank == 2 and rank == 1:
            value = value[:, 0]
        dtype = tf.as_dtype(each.dtype)
        return value if dtype == tf.string else tf.cast(value, dtype)
