"""Code of all architectures: the types of their input and output, and training with Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.common.progress import report_progress
from components.common.settings import TextSettings
from components.trainer.dataset import Examples
from components.trainer.settings import TrainerSettings

History = dict[str, list[float]]
LabelsAndLogits = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class TrainingJob(NamedTuple):
    """The input of an architecture's `train` function.

    Attributes:
        examples: The splits `train`, `val` and `unsup`; `val` is never used in a
            gradient step, and `unsup` has the texts without a label.
        settings: Settings of the model and its training.
        text: Settings that determined the token ids.
        log_dir: Folder for TensorBoard logs.
    """

    examples: Examples
    settings: TrainerSettings
    text: TextSettings
    log_dir: str


class TrainedModel(NamedTuple):
    """The output of an architecture's `train` function.

    Attributes:
        model: Maps tf.RaggedTensor int32 `[batch, (tokens)]` to float32 logits
            `[batch, 1]`.
        history: By name of a metric (`loss`, `binary_accuracy`, and both with the
            prefix `val_`), its value after each epoch.
        out_of_fold: By name of a split: labels and logits, both float32 `[examples, 1]`, in
            the order of `Examples.read`. Each logit is by a model that did not learn from the
            example. A split is missing if there are no such logits; the exported model has
            learned from `train`, and perhaps from `val`.
    """

    model: keras.Model
    history: History
    out_of_fold: Mapping[str, LabelsAndLogits] = MappingProxyType({})


def as_ragged(tokens: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
    """Return tokens without padding.

    Models are called with ragged tokens. When Keras saves a model, it calls it with
    padded float32 tokens.

    Args:
        tokens: int32 `[batch, (tokens)]`, ragged, or padded with 0 at the end.

    >>> as_ragged(tf.constant([[2, 3, 0], [0, 0, 0]])).to_list()
    [[2, 3], []]
    """
    if isinstance(tokens, tf.RaggedTensor):
        return tokens
    return tf.RaggedTensor.from_tensor(tf.cast(tokens, tf.int32), padding=features.PADDING_ID)


def compile_model(
    model: keras.Model,
    learning_rate: float = 1e-3,
    from_logits: bool = True,
) -> None:
    """Compile a model that returns logits, or probabilities.

    Args:
        model: The model.
        learning_rate: Learning rate of Adam.
        from_logits: Whether it returns logits.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=from_logits),
        # A logit of 0 is a probability of 0.5.
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0 if from_logits else 0.5)],
        jit_compile=False,
        # Keras's Python code runs once in 25 steps; the steps are the same.
        steps_per_execution=25,
    )


def fit(
    model: keras.Model,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    *,
    epochs: int,
    restore_best_epoch: bool,
    log_dir: str,
) -> History:
    """Train a compiled model.

    Args:
        model: The model, see `compile_model`.
        train: Batches of inputs and labels.
        val: Batches to evaluate the model on after each epoch.
        epochs: Number of passes over `train`.
        restore_best_epoch: Keep the weights of the epoch with the lowest val loss.
        log_dir: Folder for TensorBoard logs.

    Returns:
        The history, see `TrainedModel`.
    """
    callbacks = [
        keras.callbacks.TensorBoard(log_dir, write_graph=False, profile_batch=0),
        _Progress(epochs),
    ]
    if restore_best_epoch:
        # The patience is never exhausted: all epochs are trained, and the best one is kept.
        callbacks.append(
            keras.callbacks.EarlyStopping(
                'val_loss', mode='min', patience=epochs, restore_best_weights=True
            )
        )
    history = model.fit(train, validation_data=val, epochs=epochs, callbacks=callbacks, verbose=0)
    return {name: [float(v) for v in values] for name, values in history.history.items()}


def measure(parts: Mapping[str, LabelsAndLogits], log_dir: str) -> History:
    """Compute the metrics of a model that was trained without Keras.

    Args:
        parts: By `train` and `val`: labels and logits, both float32 `[examples, 1]`.
        log_dir: Folder for TensorBoard logs, which have Keras's names.

    Returns:
        A history of one epoch, see `TrainedModel`.
    """
    history: History = {}
    for split, prefix, folder in (('train', '', 'train'), ('val', 'val_', 'validation')):
        labels, logits = parts[split]
        accuracy = keras.metrics.BinaryAccuracy(threshold=0.0)
        accuracy.update_state(labels, logits)
        values = {
            'loss': float(keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)),
            'binary_accuracy': float(accuracy.result()),
        }
        with tf.summary.create_file_writer(os.path.join(log_dir, folder)).as_default(step=0):
            for name, value in values.items():
                tf.summary.scalar(f'epoch_{name}', value)
                history[prefix + name] = [value]
    report_progress(_val_metrics({name: value for name, (value,) in history.items()}))
    return history


class _Progress(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        report_progress(f'epoch {epoch + 1}/{self._epochs}: {_val_metrics(logs or {})}')


def _val_metrics(values: Mapping[str, float]) -> str:
    # A model of a user may have other metrics.
    shown = {'val accuracy': 'val_binary_accuracy', 'val loss': 'val_loss'}
    return ', '.join(f'{name} {values[key]:.4f}' for name, key in shown.items() if key in values)
