"""Small SavedModels with the documented signatures, sound or broken in one way."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import tensorflow as tf

from components.common import features

Score = Callable[[tf.Tensor], tf.Tensor]
SPEC = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}


def logits(text: tf.Tensor) -> tf.Tensor:
    """Return a float32 `[batch]` that depends on each text."""
    return tf.cast(tf.strings.length(text) % 7, tf.float32) - 3.0


def probability(text: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(logits(text))


def depend_on_batch(text: tf.Tensor) -> tf.Tensor:
    """Return probabilities that depend on the size of the batch."""
    return tf.sigmoid(logits(text)) / tf.cast(tf.size(text), tf.float32)


def loop_forever(text: tf.Tensor) -> tf.Tensor:
    """Return probabilities after a loop that does not end."""
    (turns,) = tf.while_loop(lambda turns: turns >= 0, lambda turns: [turns * 0], [tf.size(text)])
    return tf.sigmoid(logits(text) + tf.cast(turns, tf.float32))


def wait_forever(text: tf.Tensor) -> tf.Tensor:
    """Return probabilities after a value that nothing provides, without any computation."""
    (never,) = tf.raw_ops.Unstage(dtypes=[tf.float32], shared_name='never')
    return tf.sigmoid(logits(text) + never)


def too_large(text: tf.Tensor) -> tf.Tensor:
    """Answer after a tensor of 16 GiB and more, which is made only when it is asked for."""
    shape = tf.stack([tf.size(text, tf.int64), tf.constant(1 << 32, tf.int64)])
    numbers = tf.random.stateless_uniform(shape, [1, 2])
    return tf.reduce_mean(numbers, axis=1)


def save(
    folder: pathlib.Path,
    *,
    by_text: Score = probability,
    by_example: Score = probability,
    explained: Score = logits,
    output: str = features.PROBABILITY_KEY,
    without: str = '',
    labels: str = '["neg", "pos"]',
    module: tf.Module | None = None,
) -> pathlib.Path:
    """Write a SavedModel.

    Args:
        folder: The folder of the model.
        by_text: From tf.string `[batch]` to the output of `serving_text`.
        by_example: The same for `serving_default`.
        explained: The logit that `explain_text` divides into one contribution and a bias.
        output: The name of the output of the scoring signatures.
        without: A signature to leave out.
        labels: The content of `labels.json`.
        module: The module to save.
    """
    module = module or tf.Module()
    # With a variable, the model has files of variables.
    module.scale = tf.Variable(1.0)

    def score_texts(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {output: by_text(text) * module.scale}

    def score_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        text = tf.io.parse_example(examples, SPEC)[features.TEXT_KEY]
        return {output: by_example(text) * module.scale}

    def explain(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            features.NGRAMS_KEY: text,
            features.CONTRIBUTIONS_KEY: explained(text) - 0.5,
            features.ROWS_KEY: tf.range(tf.size(text, tf.int64)),
            features.BIAS_KEY: tf.fill(tf.shape(text), 0.5),
        }

    signatures = {
        features.EXAMPLES_SIGNATURE: _trace(score_examples, features.EXAMPLES_INPUT),
        features.TEXT_SIGNATURE: _trace(score_texts, features.TEXT_INPUT),
        features.EXPLAIN_SIGNATURE: _trace(explain, features.TEXT_INPUT),
    }
    signatures.pop(without, None)
    tf.saved_model.save(module, str(folder), signatures=signatures)
    (folder / 'assets.extra').mkdir()
    (folder / 'assets.extra' / features.LABELS_ASSET).write_text(labels)
    return folder


def _trace(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], name: str) -> object:
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(tf.TensorSpec([None], tf.string, name=name))
