"""Functions that a user could pass as preprocessing_fn."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.common import features


def two_vocabularies(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make ids of words, and of whole texts: an ordinary vocabulary and one of all values."""
    words = tf.strings.split(inputs[features.TEXT_KEY])
    text = tft.vocabulary(inputs[features.TEXT_KEY], vocab_filename='texts')
    return {
        'words': tft.compute_and_apply_vocabulary(words, top_k=40, frequency_threshold=2),
        'text': tft.apply_vocabulary(inputs[features.TEXT_KEY], text, num_oov_buckets=1),
    }


def scaled(inputs: dict[str, Any]) -> dict[str, Any]:
    """Scale a number, which needs its mean and its variance."""
    return {'label': tft.scale_to_z_score(inputs[features.LABEL_KEY])}


def asserted(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make a vocabulary, and make an assertion that TFT checks while it counts."""
    tf.debugging.assert_less_equal(inputs[features.LABEL_KEY], tf.constant(1, tf.int64))
    return {'length': tft.compute_and_apply_vocabulary(inputs[features.LENGTH_KEY])}


def vocabulary_of_ids(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make a vocabulary of what another vocabulary made."""
    ids = tft.compute_and_apply_vocabulary(inputs[features.LENGTH_KEY])
    return {'ids': tft.compute_and_apply_vocabulary(tf.strings.as_string(ids.values))}


def weighted(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make a vocabulary whose words have weights."""
    text = inputs[features.TEXT_KEY]
    weights = tf.cast(inputs[features.LABEL_KEY], tf.float32)
    file = tft.vocabulary(text, weights=weights, vocab_filename='texts')
    return {'text': tft.apply_vocabulary(text, file)}


def frequencies(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make a vocabulary with the number of occurrences of each word."""
    tft.vocabulary(inputs[features.LENGTH_KEY], store_frequency=True, vocab_filename='lengths')
    return {'label': inputs[features.LABEL_KEY]}


def without_analyzers(inputs: dict[str, Any]) -> dict[str, Any]:
    """Map each example alone."""
    return {'text': tf.strings.lower(inputs[features.TEXT_KEY])}
