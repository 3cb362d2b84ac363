"""The model that is pushed: preprocessing and network in one SavedModel."""

from __future__ import annotations

import json
import os

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features


class TransformGraph(tf.Module):
    """The transform graph, applied to texts alone.

    TFT's own TransformFeaturesLayer does the same, but is a tf_keras model:
    saving one inside another model traces it again, which takes seconds.

    Args:
        transform_output: Of the Transform node.
    """

    def __init__(self, transform_output: tft.TFTransformOutput) -> None:
        super().__init__()
        self._loaded = tf.saved_model.load(transform_output.transform_savedmodel_dir)
        self._raw_spec = transform_output.raw_feature_spec()

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Turn texts into token ids, as Transform learned them.

        Args:
            text: tf.string `[batch]`.

        Returns:
            tf.RaggedTensor int32 `[batch, (tokens)]`, each id >= 1.
        """
        # The graph's signature has all raw features; the ids depend on the text alone.
        unused = {name: tf.zeros_like(text, spec.dtype) for name, spec in self._raw_spec.items()}
        transformed = self._loaded.transform_fn({**unused, features.TEXT_KEY: text})
        return tf.cast(transformed[features.TOKENS_KEY], tf.int32)


class ServingModel(tf.Module):
    """Scores raw texts.

    Owns the Keras model and the transform graph, so that saving it saves both,
    the vocabulary file included.

    Args:
        model: Takes tf.RaggedTensor int32 `[batch, (tokens)]`, returns float32
            logits `[batch, 1]`.
        transform: Makes its input from texts.
    """

    def __init__(self, model: keras.Model, transform: TransformGraph) -> None:
        super().__init__()
        self._model = model
        self._transform = transform

    # AutoGraph would rewrite TFT's and Keras's own Python: seconds, for nothing.
    @tf.function(autograph=False)
    def score_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score plain texts.

        Args:
            text: tf.string `[batch]`.

        Returns:
            `probability`: float32 `[batch]` in [0, 1], of the positive label.
        """
        logits = self._model(self._transform(text), training=False)
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
