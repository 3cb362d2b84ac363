"""The model that is pushed: preprocessing and network in one SavedModel."""

from __future__ import annotations

import json
import os
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features


def apply_transform(layer: Any, text: tf.Tensor, max_tokens: int) -> tf.Tensor:
    """Turn texts into padded token ids, as Transform learned them.

    Args:
        layer: What `TFTransformOutput.transform_features_layer` returns.
        text: tf.string `[batch]`.
        max_tokens: Columns of the result.

    Returns:
        int32 `[batch, max_tokens]`, 0 where a text has ended.
    """
    tokens = layer({features.TEXT_KEY: text})[features.TOKENS_KEY]
    padded = tokens.to_tensor(features.PADDING_ID, shape=[None, max_tokens])
    return tf.cast(padded, tf.int32)


class ServingModel(tf.Module):
    """Scores raw texts.

    Owns the Keras model and the transform graph, so that saving it saves both,
    the vocabulary file included.

    Args:
        model: Takes int32 `[batch, max_tokens]`, returns logits `[batch, 1]`.
        transform_output: Of the Transform node.
        max_tokens: Tokens of a text that the model reads.
    """

    def __init__(
        self, model: keras.Model, transform_output: tft.TFTransformOutput, max_tokens: int
    ) -> None:
        super().__init__()
        self._model = model
        self._transform = transform_output.transform_features_layer()
        self._max_tokens = max_tokens

    # AutoGraph would rewrite TFT's and Keras's own Python: seconds, for nothing.
    @tf.function(autograph=False)
    def score_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score plain texts.

        Args:
            text: tf.string `[batch]`.

        Returns:
            `probability`: float32 `[batch]` in [0, 1], of the positive label.
        """
        tokens = apply_transform(self._transform, text, self._max_tokens)
        logits = self._model(tokens, training=False)
        return {features.PROBABILITY_KEY: tf.sigmoid(tf.reshape(logits, [-1]))}

    @tf.function(autograph=False)
    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score serialized `tf.Example`s, of which only `text` is read.

        Args:
            examples: tf.string `[batch]`.

        Returns:
            As `score_texts`.
        """
        spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
        text = tf.io.parse_example(examples, spec)[features.TEXT_KEY]
        scores: dict[str, tf.Tensor] = self.score_texts(text)
        return scores


def export(serving_model: ServingModel, labels: tuple[str, str], directory: str) -> None:
    """Write a SavedModel that TensorFlow Serving loads as it is.

    Args:
        serving_model: What to save.
        labels: Names of the negative and of the positive label.
        directory: Where to.
    """
    score_texts = serving_model.score_texts.get_concrete_function(
        tf.TensorSpec([None], tf.string, name=features.TEXT_INPUT)
    )
    score_examples = serving_model.score_examples.get_concrete_function(
        tf.TensorSpec([None], tf.string, name=features.EXAMPLES_INPUT)
    )
    tf.saved_model.save(
        serving_model,
        directory,
        signatures={
            features.EXAMPLES_SIGNATURE: score_examples,
            features.TEXT_SIGNATURE: score_texts,
        },
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    extra = os.path.join(directory, 'assets.extra')
    tf.io.gfile.makedirs(extra)
    with tf.io.gfile.GFile(os.path.join(extra, features.LABELS_ASSET), 'w') as file:
        file.write(json.dumps(list(labels)) + '\n')
