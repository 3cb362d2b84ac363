"""What Transform computes: token ids, by the vocabulary of the training split."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.settings import TextSettings
from components.transform import text

SETTINGS_KEY = 'text'


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Map raw features to those that the model reads.

    Args:
        inputs: By name, as the schema has them; `text` is tf.string `[batch]`.
        custom_config: Under `text`, the fields of `TextSettings`.

    Returns:
        `tokens`: tf.RaggedTensor int64 `[batch, (tokens)]`, at most `max_tokens`
        ids in a row, each in `[1, vocab_size)`; 1 is a word that the vocabulary
        lacks, 2 the most frequent word. 0 is left for padding.
    """
    settings = TextSettings.model_validate(custom_config[SETTINGS_KEY])
    words = text.tokenize(inputs[features.TEXT_KEY])
    ids = tft.compute_and_apply_vocabulary(
        words,
        # Given weights, TFT adds up equal words within a batch before Beam sees them; without,
        # each single word goes through Beam, which was two thirds of Transform's time on IMDB.
        weights=tf.ones_like(words, tf.float32),
        top_k=settings.vocab_size - features.RESERVED_IDS,
        default_value=features.UNKNOWN_ID - features.RESERVED_IDS,
        vocab_filename=features.VOCABULARY_NAME,
    )
    shifted = ids + tf.constant(features.RESERVED_IDS, tf.int64)
    return {features.TOKENS_KEY: shifted[:, : settings.max_tokens]}
