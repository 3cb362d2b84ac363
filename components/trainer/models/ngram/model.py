"""The n-gram model: a calibrated linear SVM on naive Bayes ratios."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, compile_model, measure
from components.trainer.layers.contributions import Contributions
from components.trainer.layers.ngram_logits import NGramLogits
from components.trainer.models.ngram.settings import LinearSettings, NgramSettings


def train(job: TrainingJob) -> TrainedModel:
    train, val = (job.examples.read(split) for split in (features.TRAIN_SPLIT, features.VAL_SPLIT))
    settings = job.settings.model
    assert isinstance(settings, NgramSettings)
    layer = make_layer(settings, job.settings.seed)
    logits = adapt(layer, train, val, read_unlabelled(job), fit_to_val=settings.fit_to_val)
    model = NGramModel(layer)
    compile_model(model)
    history = measure(
        {'train': (train.labels, logits.train), 'val': (val.labels, logits.val)},
        job.log_dir,
    )
    return TrainedModel(model, history)


class NGramModel(keras.Model):
    """The logits of the n-grams."""

    # Nothing calls the signature that Keras adds to a saved model, and it takes time.
    _default_save_signature = None

    def __init__(self, ngrams: NGramLogits) -> None:
        super().__init__(name='ngram')
        self.ngrams = ngrams

    def call(self, tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`."""
        return self.ngrams(tokens)

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into contributions."""
        return self.ngrams.explain(tokens)


class OutOfFoldLogits(NamedTuple):
    """Logits, float32 `[examples, 1]`, by models that did not learn from the example."""

    train: npt.NDArray[np.float32]
    val: npt.NDArray[np.float32]


def make_layer(settings: LinearSettings, seed: int) -> NGramLogits:
    """Return the layer that the settings describe."""
    return NGramLogits(
        max_ngram=settings.max_ngram,
        min_documents=settings.min_ngram_documents,
        cost=settings.svm_cost,
        unlabelled_weight=settings.unlabelled_weight,
        seed=seed,
        name='ngrams',
    )


def read_unlabelled(job: TrainingJob) -> LabelledTokens | None:
    """Return the texts without a label; None if there are none or their weight is 0."""
    assert isinstance(job.settings.model, LinearSettings)
    if not job.settings.model.unlabelled_weight:
        return None
    unlabelled = job.examples.read(features.UNLABELLED_SPLIT)
    return unlabelled if len(unlabelled.labels) else None


def adapt(
    layer: NGramLogits,
    train: LabelledTokens,
    val: LabelledTokens,
    unlabelled: LabelledTokens | None,
    *,
    fit_to_val: bool,
) -> OutOfFoldLogits:
    """Have the layer learn from `train`, and from `val` if `fit_to_val` is set.

    Args:
        layer: The layer, which is then built.
        train: Examples to learn from.
        val: Further examples.
        unlabelled: Texts without a label.
        fit_to_val: Whether to learn from `val` too.
    """
    if fit_to_val:
        logits, _ = layer.adapt(train.joined(val), unlabelled=unlabelled)
        return OutOfFoldLogits(*np.split(logits, [len(train.labels)]))
    of_train, of_val = layer.adapt(train, val, unlabelled)
    assert of_val is not None
    return OutOfFoldLogits(of_train, of_val)
