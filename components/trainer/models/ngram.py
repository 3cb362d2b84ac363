"""The n-gram model: a linear SVM on naive Bayes ratios, calibrated.

It is learned in a few passes over the counts, not by gradient steps; what was
tried beside it is in the README.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, compile_model, measure
from components.trainer.layers.contributions import Contributions
from components.trainer.layers.ngram_logits import NGramLogits


def train(job: TrainingJob) -> TrainedModel:
    """Train the model."""
    layer = make_layer(job)
    logits = adapt(layer, job, read_unlabelled(job))
    model = NGramModel(layer)
    compile_model(model, job.settings.learning_rate)
    history = measure(
        {'train': (job.train.labels, logits.train), 'val': (job.val.labels, logits.val)},
        job.log_dir,
    )
    return TrainedModel(model, history)


class NGramModel(keras.Model):
    """A model of nothing but the n-grams' logits."""

    # Keras adds a signature of its own to what is saved; nothing calls it, and it takes time.
    _default_save_signature = None

    def __init__(self, ngrams: NGramLogits) -> None:
        super().__init__(name='ngram')
        self.ngrams = ngrams

    def call(self, tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`."""
        return self.ngrams(tokens)

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Take the logits of int32 `[batch, (tokens)]` apart."""
        return self.ngrams.explain(tokens)


class HonestLogits(NamedTuple):
    """Logits, float32 `[examples, 1]`, by models that did not learn from the example."""

    train: npt.NDArray[np.float32]
    val: npt.NDArray[np.float32]


def make_layer(job: TrainingJob) -> NGramLogits:
    """Make the layer that the settings describe."""
    settings = job.settings
    return NGramLogits(
        max_ngram=settings.max_ngram,
        min_documents=settings.min_ngram_documents,
        cost=settings.svm_cost,
        unlabelled_weight=settings.unlabelled_weight,
        seed=settings.seed,
        name='ngrams',
    )


def read_unlabelled(job: TrainingJob) -> LabelledTokens | None:
    """Read the texts without a label, if the settings want them and there are any."""
    return job.read_unlabelled() if job.settings.unlabelled_weight else None


def adapt(layer: NGramLogits, job: TrainingJob, unlabelled: LabelledTokens | None) -> HonestLogits:
    """Let the layer learn from `train`, and from `val` if the settings say so.

    Args:
        layer: Is built by it.
        job: The examples.
        unlabelled: Further texts, without a label.
    """
    if job.settings.fit_to_val:
        logits, _ = layer.adapt(job.train.joined(job.val), unlabelled=unlabelled)
        return HonestLogits(*np.split(logits, [len(job.train.labels)]))
    of_train, of_val = layer.adapt(job.train, job.val, unlabelled)
    assert of_val is not None
    return HonestLogits(of_train, of_val)
