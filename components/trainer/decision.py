"""Chooses the decision threshold of an exported model, and stores it with the model."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import tensorflow as tf

from components.common import features
from components.common.decision_threshold import (
    DEFAULT_THRESHOLD,
    THRESHOLD_ASSET,
    DecisionThreshold,
)
from components.common.errors import ConfigError
from components.common.progress import report_progress
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.trainer.fitting import LabelsAndLogits
from components.trainer.serving import write_asset
from components.trainer.settings import TUNED, TrainerSettings
from components.trainer.threshold import (
    TUNED_THRESHOLD_FILE,
    Floats,
    require_tunable,
    to_json,
    tune_threshold,
)

_EXAMPLES_PER_BATCH = 1_000


def require_tunable_val(settings: TrainerSettings, artifact: str) -> None:
    """Check before the training that the threshold can be tuned, if it is to be.

    Args:
        settings: Settings of the Trainer.
        artifact: Folder of the raw examples.

    Raises:
        ConfigError: If `val` has too few examples of a label.
    """
    if settings.threshold == TUNED:
        require_tunable(*ExamplesSummary.read(artifact).splits[features.VAL_SPLIT])


def store_threshold(
    settings: TrainerSettings,
    artifact: str,
    *,
    model: str,
    model_run: str,
    out_of_fold: LabelsAndLogits | None = None,
) -> None:
    """Write the decision threshold that the settings ask for into an exported model.

    A model without the file has the default, so that its identity does not depend on whether
    the pipeline that trained it knew thresholds.

    Args:
        settings: Settings of the Trainer.
        artifact: Folder of the raw examples.
        model: Folder of the exported model.
        model_run: Folder for the curve of a tuned threshold.
        out_of_fold: Labels and logits of `val` by models that did not learn from the example;
            None if the exported model itself has not learned from `val`.

    Raises:
        ComponentError: If an example has no probability, or is missing.
        ConfigError: If the threshold cannot be tuned, see `tune_threshold`.
    """
    if settings.threshold == DEFAULT_THRESHOLD:
        return
    if settings.threshold != TUNED:
        _write(model, DecisionThreshold(threshold=settings.threshold))
        return
    if out_of_fold is None:
        if getattr(settings.model, 'fit_to_val', False):
            raise ConfigError(
                'trainer.threshold: expected scores of val by models that did not learn from it, '
                'but the texts cannot be divided into two halves that have both labels each',
                hint='pass --set trainer.model.fit_to_val=false, or set a number',
            )
        labels, probabilities = _score(model, artifact)
    else:
        labels = out_of_fold[0][:, 0].astype(np.float64)
        probabilities = tf.sigmoid(out_of_fold[1][:, 0]).numpy()
    tuned = tune_threshold(labels, probabilities, settings.aim)
    tf.io.gfile.makedirs(model_run)
    with tf.io.gfile.GFile(os.path.join(model_run, TUNED_THRESHOLD_FILE), 'w') as file:
        file.write(to_json(tuned))
    _write(model, DecisionThreshold(threshold=tuned.threshold, aim=tuned.aim))
    report_progress(tuned.describe())


def _write(model: str, decision: DecisionThreshold) -> None:
    write_asset(model, THRESHOLD_ASSET, dataclasses.asdict(decision))


def _score(model: str, artifact: str) -> tuple[Floats, Floats]:
    """Return the labels of `val`, and the probabilities that an exported model returns."""
    serve = tf.saved_model.load(model).signatures[features.EXAMPLES_SIGNATURE]
    spec = {features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64)}
    files = split_files(artifact, features.VAL_SPLIT)
    labels, probabilities = [], []
    for examples in tf.data.TFRecordDataset(files, 'GZIP').batch(_EXAMPLES_PER_BATCH):
        labels.append(tf.io.parse_example(examples, spec)[features.LABEL_KEY].numpy())
        outputs = serve(**{features.EXAMPLES_INPUT: examples})
        probabilities.append(outputs[features.PROBABILITY_KEY].numpy())
    count = sum(map(len, labels))
    ExamplesSummary.read(artifact).require('Trainer', [features.VAL_SPLIT], count)
    return np.concatenate(labels), np.concatenate(probabilities)
