"""Named starting points for the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_PRESET = 'ngram'
# The default if the module of --module has a model.
MODULE_PRESET = 'module'

_GATE = {'min_accuracy': 0.80, 'max_accuracy_drop': 0.01}
# All words that occur twice, and texts of any length.
_ALL_WORDS = {
    'vocab_size': 1_000_000,
    'min_word_count': 2,
    'punctuation': 'split',
    'max_tokens': 100_000,
}
# A tenth of the training data is enough for evaluation during training.
_DATA = {'columns': {'val_percent': 10}}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Naive Bayes ratios and a linear SVM: Wang and Manning, 2012.
    'ngram': {
        'data': _DATA,
        'text': _ALL_WORDS,
        'trainer': {'model': {'architecture': 'ngram'}},
        'gate': _GATE,
    },
    # The same, and vectors of texts that correct it.
    'accurate': {
        'data': _DATA,
        'text': _ALL_WORDS,
        'trainer': {'model': {'architecture': 'ngram', 'dimensions': 128}},
        'gate': _GATE,
    },
    # "Basic text classification", tensorflow.org/tutorials/keras: accuracy 0.874 on IMDB's test.
    'tutorial': {
        'data': {'columns': {'use_unlabelled': False}},
        'text': {'vocab_size': 10_000, 'max_tokens': 250},
        'trainer': {'model': {'architecture': 'tutorial'}},
        'gate': _GATE,
    },
    # The model of the user's module, on texts as in the tutorial.
    MODULE_PRESET: {
        'data': {'columns': {'use_unlabelled': False}},
        'text': {'vocab_size': 10_000, 'max_tokens': 250},
        'trainer': {'model': {'architecture': 'module'}},
        'gate': _GATE,
    },
}

# Those with a model of this project.
OWN_PRESETS = tuple(preset for preset in PRESETS if preset != MODULE_PRESET)
