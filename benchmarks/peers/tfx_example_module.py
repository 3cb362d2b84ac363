"""User code of TFX's own IMDB example, with the batch sizes that it recommends for IMDB."""

from __future__ import annotations

from tfx.examples.imdb import imdb_utils_native_keras as example

example._TRAIN_BATCH_SIZE = 64
example._EVAL_BATCH_SIZE = 64

preprocessing_fn = example.preprocessing_fn
run_fn = example.run_fn
