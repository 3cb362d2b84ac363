"""The preprocessing function: token ids from the vocabulary of the training split."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.settings import TextSettings
from components.transform import text

SETTINGS_KEY = 'text'


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Map the raw features to those that the model reads.

    Args:
        inputs: The features of the schema; `text` is tf.string `[batch]`.
        custom_config: Under `text`, the fields of `TextSettings`.

    Returns:
        `tokens`: tf.RaggedTensor int64 `[batch, (tokens)]`, at most `max_tokens`
        ids in a row, each in `[1, vocab_size)`: 1 is a word that is not in the
        vocabulary, 2 the most frequent word. 0 is left for padding.
    """
    settings = TextSettings.model_validate(custom_config[SETTINGS_KEY])
    ids = tft.compute_and_apply_vocabulary(
        text.tokenize(inputs[features.TEXT_KEY], settings.punctuation),
        default_value=features.UNKNOWN_ID - features.RESERVED_IDS,
        top_k=settings.vocab_size - features.RESERVED_IDS,
        frequency_threshold=settings.min_word_count if settings.min_word_count > 1 else None,
        vocab_filename=features.VOCABULARY_NAME,
    )
    shifted = ids + tf.constant(features.RESERVED_IDS, tf.int64)
    return {features.TOKENS_KEY: shifted[:, : settings.max_tokens]}
