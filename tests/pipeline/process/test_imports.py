"""Tests of faster imports."""

from __future__ import annotations

import os
import subprocess
import sys

import keras

from pipeline.process.imports import no_keras

_IMPORTS = """
import sys
from pipeline.process.imports import no_keras
with no_keras():
    import tensorflow as tf
print([name for name in sys.modules if name == 'keras' or name.startswith('keras.src.layers')])
import keras
print(tf.keras.layers.Dense is keras.layers.Dense)
"""


def test_tensorflow_is_imported_without_keras_when_keras_is_not_needed() -> None:
    # TensorFlow Transform sets the variable when it is imported, and other tests import it.
    environment = {k: v for k, v in os.environ.items() if k != 'TF_USE_LEGACY_KERAS'}
    done = subprocess.run(
        [sys.executable, '-c', _IMPORTS],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.splitlines() == ['[]', 'True']


def test_keras_stays_imported_when_it_was_before() -> None:
    with no_keras():
        import keras as again
    assert again is keras
    assert sys.modules['keras'] is keras
