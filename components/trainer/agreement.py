"""Compares what is served with what was trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.trainer.serving import TransformGraph

# Enough for each length and kind of word; one batch, scored in a fraction of a second.
_EXAMPLES = 256
# Of a probability. Sums of float32 come in another order in the graph that was saved: of logits
# below 20 that is some 1e-6. What is wrong is off by more.
_TOLERANCE = 1e-5


def require_same_scores(
    model: keras.Model, transform: TransformGraph, patterns: Sequence[str], directory: str
) -> None:
    """Check that an exported model scores as the model in memory does.

    What is measured while training, and what the weights were fitted for, is
    the head of the model in memory. What is judged and served is a graph that
    was traced from it, written, and read again; a layer may have come out of
    that as another.

    Args:
        model: As `ServingModel` has it.
        transform: Makes its input from texts.
        patterns: Of gzipped TFRecord files of raw examples, not learned from.
        directory: Of the exported model.

    Raises:
        ComponentError: If a signature gives a probability that is another than
            the head's by more than 1e-5. NaN is equal to NaN: that a model is
            useless is for the gate to say.
    """
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    examples = next(iter(tf.data.TFRecordDataset(files, 'GZIP').batch(_EXAMPLES)))
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    text = tf.io.parse_example(examples, spec)[features.TEXT_KEY]
    trained = tf.sigmoid(tf.reshape(model(transform(text), training=False), [-1])).numpy()
    exported = tf.saved_model.load(directory)
    for signature, given in (
        (features.EXAMPLES_SIGNATURE, {features.EXAMPLES_INPUT: examples}),
        (features.TEXT_SIGNATURE, {features.TEXT_INPUT: text}),
    ):
        served = exported.signatures[signature](**given)[features.PROBABILITY_KEY].numpy()
        if served.shape != trained.shape:
            raise ComponentError(
                f'Trainer: {signature} gives {served.shape} for {trained.shape} texts', hint=_HINT
            )
        same = np.isclose(served, trained, rtol=0, atol=_TOLERANCE, equal_nan=True)
        if not same.all():
            # A number and NaN differ most of all.
            difference = np.nan_to_num(np.abs(served - trained), nan=np.inf)
            worst = int(np.argmax(np.where(same, -1, difference)))
            raise ComponentError(
                f'Trainer: what {signature} serves is not what was trained: of {len(same)} val '
                f'examples {np.count_nonzero(~same)} differ, the most one with '
                f'{served[worst]:.6f} served, {trained[worst]:.6f} trained',
                hint=_HINT,
            )


_HINT = 'a layer of the architecture does something else once it is saved'
