"""Named starting points for the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_PRESET = 'tutorial'

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # "Basic text classification", tensorflow.org/tutorials/keras: accuracy 0.874 on IMDB's test.
    'tutorial': {
        'text': {'vocab_size': 10_000, 'max_tokens': 250},
        'trainer': {
            'architecture': 'tutorial',
            'epochs': 10,
            'batch_size': 32,
            'embedding_dim': 16,
            'dropout': 0.2,
        },
        'gate': {'min_accuracy': 0.80, 'max_accuracy_drop': 0.01},
    },
}
