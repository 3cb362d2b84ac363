"""Compares an exported model with the model in memory."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.trainer.serving import TransformGraph

# One batch, which is scored in a fraction of a second.
_EXAMPLES = 256
# Largest difference of a probability. The saved graph adds float32 values in another order,
# which changes probabilities by some 1e-6.
_TOLERANCE = 1e-5


def require_same_scores(
    model: keras.Model, transform: TransformGraph, patterns: Sequence[str], directory: str
) -> None:
    """Check that an exported model returns the scores of the model in memory.

    Training measures the model in memory. The Evaluator and the model server use the
    exported graph, in which a layer can differ.

    Args:
        model: The model in memory, see `ServingModel`.
        transform: Makes the input of the model from texts.
        patterns: Gzipped TFRecord files of raw examples.
        directory: Folder of the exported model.

    Raises:
        ComponentError: If a probability of a signature differs by more than 1e-5. Two
            NaN are equal, because the gate refuses them.
    """
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    examples = next(iter(tf.data.TFRecordDataset(files, 'GZIP').batch(_EXAMPLES)))
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    text = tf.io.parse_example(examples, spec)[features.TEXT_KEY]
    trained = tf.sigmoid(tf.reshape(model(transform(text), training=False), [-1])).numpy()
    exported = tf.saved_model.load(directory)
    for signature, inputs in (
        (features.EXAMPLES_SIGNATURE, {features.EXAMPLES_INPUT: examples}),
        (features.TEXT_SIGNATURE, {features.TEXT_INPUT: text}),
    ):
        served = exported.signatures[signature](**inputs)[features.PROBABILITY_KEY].numpy()
        same = np.isclose(served, trained, rtol=0, atol=_TOLERANCE, equal_nan=True)
        if not same.all():
            # A number and NaN differ most.
            difference = np.nan_to_num(np.abs(served - trained), nan=np.inf)
            worst = int(np.argmax(np.where(same, -1, difference)))
            raise ComponentError(
                f'Trainer: expected the exported model to return the scores of the trained one, '
                f'but {signature} differs in {np.count_nonzero(~same)} of {len(same)} val '
                f'examples: {served[worst]:.6f} in place of {trained[worst]:.6f} in the worst one',
                hint='in model.py of the architecture, correct the layer whose output changes when '
                'the model is saved and loaded; for a preset of this project, report a defect',
            )
