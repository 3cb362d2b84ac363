"""The contract of names between ExampleGen, Transform, the model and its clients.

Names of features, splits, signatures and assets, and reserved token ids. This
module imports nothing, so that every worker can import it.
"""

from __future__ import annotations

# Features of a raw example, as ExampleGen writes it.
TEXT_KEY = 'text'  # bytes, UTF-8, one review
LABEL_KEY = 'label'  # int64, 0 negative, 1 positive
LENGTH_KEY = 'length'  # bytes, one of LENGTH_BUCKETS: what metrics are sliced by

# Features of a transformed example.
TOKENS_KEY = 'tokens'  # int64 ids, in [0, vocab_size)

PADDING_ID = 0
UNKNOWN_ID = 1
RESERVED_IDS = 2

VOCABULARY_NAME = 'words'

TRAIN_SPLIT = 'train'
VAL_SPLIT = 'val'
TEST_SPLIT = 'test'
SPLITS = (TRAIN_SPLIT, VAL_SPLIT, TEST_SPLIT)
# Texts without a label, if the data has any; not in SPLITS, since no metric is computed on them.
UNLABELLED_SPLIT = 'unsup'

# Signatures of the pushed model, their inputs and their outputs.
EXAMPLES_SIGNATURE = 'serving_default'  # serialized tf.Example
TEXT_SIGNATURE = 'serving_text'  # plain strings
EXPLAIN_SIGNATURE = 'explain_text'  # plain strings
EXAMPLES_INPUT = 'examples'
TEXT_INPUT = 'text'
PROBABILITY_KEY = 'probability'  # float32 [batch], of the positive label
NGRAMS_KEY = 'ngrams'  # bytes [parts], the n-grams that contribute to the logits
CONTRIBUTIONS_KEY = 'contributions'  # float32 [parts], the terms that they add
ROWS_KEY = 'rows'  # int64 [parts], the index of the text in the batch
BIAS_KEY = 'bias'  # float32 [batch], the logit of an empty text
# In SETTINGS_ASSET, the feature columns of the training data, as NAME:TYPE.
COLUMNS_KEY = 'features'
LABELS_ASSET = 'labels.json'  # in assets.extra/: ["negative name", "positive name"]
SETTINGS_ASSET = 'settings.json'  # in assets.extra/: the settings of the training
# In SETTINGS_ASSET, the architecture of a model that a user's module made. It may lack the
# signatures for texts, and its `serving_default` may have further outputs.
MODULE_ARCHITECTURE = 'module'
# In assets.extra/ of a pushed version, and no part of the model.
MODEL_CARD = 'model_card.md'
DIGEST_ASSET = 'model.sha256'  # the digest of the model when it was pushed
ROLLBACK_ASSET = 'rollback.json'  # only in a version that restores an earlier one

_LENGTH_BOUNDS_WORDS = (10, 50, 100, 200, 400)
LENGTH_BUCKETS = ('1-10', '11-50', '51-100', '101-200', '201-400', '401+')


def length_bucket(words: int) -> str:
    """Return the slice of a text by its number of words.

    >>> length_bucket(10), length_bucket(11), length_bucket(5000)
    ('1-10', '11-50', '401+')
    """
    for bound, name in zip(_LENGTH_BOUNDS_WORDS, LENGTH_BUCKETS):
        if words <= bound:
            return name
    return LENGTH_BUCKETS[-1]
