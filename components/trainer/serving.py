"""The exported model: preprocessing and network in one SavedModel."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.errors import ComponentError
from components.common.settings import TextSettings
from components.trainer.contributions import Contributions
from components.transform.text import tokenize


class TransformGraph(tf.Module):
    """The transform graph, applied to texts alone.

    TFT's own TransformFeaturesLayer does the same, but is a tf_keras model: saving
    it inside another model traces it again, which takes seconds.

    Args:
        transform_output: Output of the Transform node.
    """

    def __init__(self, transform_output: tft.TFTransformOutput) -> None:
        super().__init__()
        self._loaded = tf.saved_model.load(transform_output.transform_savedmodel_dir)
        self._raw_spec = transform_output.raw_feature_spec()
        self._output = transform_output

    def require_tokens(self) -> None:
        """Check that the graph makes token ids, which the models of this project read.

        Raises:
            ComponentError: If the `preprocessing_fn` of a user does not return them.
        """
        found = self._loaded.transform_fn.structured_outputs.get(features.TOKENS_KEY)
        if not isinstance(found, tf.RaggedTensorSpec):
            got = ', '.join(sorted(self.transformed_names)) or 'nothing'
            raise ComponentError(
                f'preprocessing_fn: expected {features.TOKENS_KEY} among its outputs, a '
                f'tf.RaggedTensor of token ids, got {got}',
                hint='return it, for example that of components.transform.preprocessing, or '
                'define a model in the module, too',
            )

    @property
    def raw_spec(self) -> dict[str, Any]:
        """The features of raw examples, to parse them."""
        return dict(self._raw_spec)

    @property
    def transformed_names(self) -> set[str]:
        """The names of the transformed features."""
        return set(self._loaded.transform_fn.structured_outputs)

    def computed_from(self, *names: str) -> set[str]:
        """Return the names of the transformed features that need these raw ones alone."""
        one = tf.constant([''])
        raw = {name: _no_values(self._raw_spec[name], one) for name in names}
        return set(self._output.transform_features_layer()(raw))

    def features(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the transformed features of raw ones.

        Args:
            raw: Parsed features, the text among them. Those that are missing count as zero,
                or as without a value.
        """
        text = raw[features.TEXT_KEY]
        missing = {name: _no_values(spec, text) for name, spec in self._raw_spec.items()}
        given = {name: value for name, value in raw.items() if name in missing}
        transformed: dict[str, Any] = self._loaded.transform_fn({**missing, **given})
        return transformed

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Convert texts to token ids.

        Args:
            text: tf.string `[batch]`.

        Returns:
            tf.RaggedTensor int32 `[batch, (tokens)]`, each id >= 1.
        """
        # The graph's signature has all raw features, but the ids depend on the text alone.
        return tf.cast(self.features({features.TEXT_KEY: text})[features.TOKENS_KEY], tf.int32)


def _no_values(spec: Any, text: tf.Tensor) -> tf.Tensor | tf.SparseTensor:
    """Return zeros, or a sparse tensor without values, for a feature of so many examples."""
    rows = tf.shape(text, tf.int64)[0]
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.zeros([rows, *spec.shape], spec.dtype)
    nothing = tf.zeros([0], spec.dtype)
    return tf.SparseTensor(tf.zeros([0, 2], tf.int64), nothing, tf.stack([rows, 0]))


class KerasServing(tf.Module):
    """Calls a Keras model, and saves its variables and tables, but not the model itself.

    Keras adds a copy of each of its variables to a SavedModel of a module that tracks the
    model. The loaders of TensorFlow Serving and of TFX's BulkInferrer restore the copies,
    and then find no value for the variables that the signatures read:
    https://github.com/keras-team/keras/issues/20095. `keras.Model.export` does as this
    class does, but for its own signatures only.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        # A module does not track what a function refers to.
        self._get_model: Callable[[], keras.Model] = lambda: model
        found = tf.train.TrackableView(model).descendants()
        kinds = (tf.Variable, tf.saved_model.experimental.TrackableResource)
        self._variables = [variable.value for variable in model.variables]
        self._resources = [part for part in found if isinstance(part, kinds)]

    @property
    def model(self) -> keras.Model:
        """The model."""
        return self._get_model()


class ServingModel(KerasServing):
    """Scores raw texts.

    It owns the parts of the Keras model and the transform graph, so that both are saved,
    with the vocabulary file.

    Args:
        model: Maps tf.RaggedTensor int32 `[batch, (tokens)]` to float32 logits
            `[batch, 1]`; its method `explain` maps the same to `Contributions`.
        transform: Makes the input of the model from texts.
        settings: Settings of `transform`.
    """

    def __init__(
        self, model: keras.Model, transform: TransformGraph, settings: TextSettings
    ) -> None:
        super().__init__(model)
        self._transform = transform
        self._settings = settings

    def score_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score plain texts.

        Args:
            text: tf.string `[batch]`.

        Returns:
            `probability`: float32 `[batch]` in [0, 1], of the positive label.
        """
        logits = self.model(self._transform(text), training=False)
        return {features.PROBABILITY_KEY: tf.sigmoid(tf.reshape(logits, [-1]))}

    def explain_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Split the logits of plain texts into contributions of their words.

        Args:
            text: tf.string `[batch]`.

        Returns:
            `ngrams`: tf.string `[parts]`, words as the model reads them, in the order
            of the texts, and by absolute contribution within a text.
            `contributions`: float32 `[parts]`, the addend of each in the logit.
            `rows`: int64 `[parts]`, the index of its text in the batch.
            `bias`: float32 `[batch]`, the logit of a text without words. The bias and
            the contributions of a text add up to its logit.
        """
        parts: Contributions = self.model.explain(self._transform(text))
        words = tokenize(text, self._settings.punctuation)[:, : self._settings.max_tokens]
        ngrams = parts.phrases(words)
        # Words in several places, or found by several patterns, are returned once.
        keys = tf.strings.join([tf.strings.as_string(parts.rows), ngrams], ' ')
        unique, which = tf.unique(keys, tf.int64)
        count = tf.size(unique)
        first = tf.math.unsorted_segment_min(tf.range(tf.size(keys)), which, count)
        values = tf.math.unsorted_segment_sum(parts.values, which, count)
        rows = tf.gather(parts.rows, first)
        order = tf.argsort(tf.abs(values), direction='DESCENDING', stable=True)
        order = tf.gather(order, tf.argsort(tf.gather(rows, order), stable=True))
        return {
            features.NGRAMS_KEY: tf.gather(tf.gather(ngrams, first), order),
            features.CONTRIBUTIONS_KEY: tf.gather(values, order),
            features.ROWS_KEY: tf.gather(rows, order),
            features.BIAS_KEY: parts.bias,
        }


def export(serving_model: ServingModel, labels: tuple[str, str], directory: str) -> None:
    """Write a SavedModel for TensorFlow Serving.

    Args:
        serving_model: The model.
        labels: Names of the negative and of the positive label.
        directory: Folder to write to.
    """
    score_texts = _trace(serving_model.score_texts, features.TEXT_INPUT)

    def score_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
        scores: dict[str, tf.Tensor] = score_texts(
            tf.io.parse_example(examples, spec)[features.TEXT_KEY]
        )
        return scores

    tf.saved_model.save(
        serving_model,
        directory,
        signatures={
            features.EXAMPLES_SIGNATURE: _trace(score_examples, features.EXAMPLES_INPUT),
            features.TEXT_SIGNATURE: score_texts,
            features.EXPLAIN_SIGNATURE: _trace(serving_model.explain_texts, features.TEXT_INPUT),
        },
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    write_asset(directory, features.LABELS_ASSET, list(labels))


def write_asset(directory: str, name: str, content: Any) -> None:
    """Write JSON values into a file that a SavedModel carries."""
    extra = os.path.join(directory, 'assets.extra')
    tf.io.gfile.makedirs(extra)
    with tf.io.gfile.GFile(os.path.join(extra, name), 'w') as file:
        # One line for a list, as the names of the labels.
        indent = 2 if isinstance(content, dict) else None
        file.write(json.dumps(content, indent=indent) + '\n')


def _trace(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], name: str) -> Any:
    """Return a function of tf.string `[batch]`, called `name`, as a graph.

    TensorFlow traces functions that are attributes of the saved module twice more.
    """
    # AutoGraph needs seconds to convert the Python code of TFT and Keras, without any effect.
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(tf.TensorSpec([None], tf.string, name=name))
