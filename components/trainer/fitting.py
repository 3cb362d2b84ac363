"""What all architectures share: what they are given and return, and how Keras fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common.progress import report_progress
from components.common.settings import TextSettings
from components.trainer.dataset import Examples
from components.trainer.settings import TrainerSettings

History = dict[str, list[float]]


class TrainingJob(NamedTuple):
    """What an architecture trains from.

    Attributes:
        examples: The splits `train`, `val`, which no gradient step touches, and
            `unsup`, the texts without a label.
        settings: Settings of the model and its training.
        text: How texts became token ids.
        log_dir: Folder for TensorBoard's logs.
    """

    examples: Examples
    settings: TrainerSettings
    text: TextSettings
    log_dir: str


class TrainedModel(NamedTuple):
    """What comes of it.

    Attributes:
        model: Takes tf.RaggedTensor int32 `[batch, (tokens)]`, returns float32
            logits `[batch, 1]`.
        history: By name of a metric (`loss`, `binary_accuracy`, and with `val_`
            before it), its value in each epoch.
    """

    model: keras.Model
    history: History


Train = Callable[[TrainingJob], TrainedModel]


def compile_model(
    model: keras.Model,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    optimizer: type[Any] = keras.optimizers.Adam,
    **options: Any,
) -> None:
    """Compile a model that emits logits.

    Args:
        model: The model.
        learning_rate: Of Adam, or its schedule.
        optimizer: Adam, or what is made of it.
        **options: Further ones of the optimizer.
    """
    model.compile(
        optimizer=optimizer(learning_rate, **options),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        # A logit of 0 is a probability of one half.
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        jit_compile=False,
        # The same steps in the same order; Keras's Python runs between 25 of them, not each.
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
    """Fit a compiled model.

    Args:
        model: Compiled.
        train: Batches of inputs and labels.
        val: What it is measured on after each epoch.
        epochs: Passes over `train`.
        restore_best_epoch: Keep the weights of the epoch with the lowest val loss.
        log_dir: Where TensorBoard's logs go.

    Returns:
        The history, see `TrainedModel`.
    """
    callbacks = [
        keras.callbacks.TensorBoard(log_dir, write_graph=False, profile_batch=0),
        _Progress(epochs),
    ]
    if restore_best_epoch:
        # Patience is never exhausted: all epochs are trained, the best is kept.
        callbacks.append(
            keras.callbacks.EarlyStopping(
                'val_loss', mode='min', patience=epochs, restore_best_weights=True
            )
        )
    history = model.fit(
        train, validation_data=val, epochs=epochs, callbacks=callbacks, verbose=0
    )
    return {name: [float(v) for v in values] for name, values in history.history.items()}


def measure(
    parts: Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]], log_dir: str
) -> History:
    """Measure logits as Keras would, for a model that was learned in one go.

    Args:
        parts: By `train` and `val`: labels and logits, both float32 `[examples, 1]`.
        log_dir: Where TensorBoard's logs go, named as Keras names them.

    Returns:
        A history of one epoch.
    """
    history: History = {}
    for split, prefix in (('train', ''), ('val', 'val_')):
        labels, logits = parts[split]
        accuracy = keras.metrics.BinaryAccuracy(threshold=0.0)
        accuracy.update_state(labels, logits)
        values = {
            'loss': float(keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)),
            'binary_accuracy': float(accuracy.result()),
        }
        history.update({prefix + name: [value] for name, value in values.items()})
    Curves(log_dir).write(0, {name: values[0] for name, values in history.items()})
    report_progress(
        f'val accuracy {history["val_binary_accuracy"][0]:.4f}, '
        f'val loss {history["val_loss"][0]:.4f}'
    )
    return history


class Curves:
    """Writes TensorBoard's curves, in the places and by the names that Keras has.

    Args:
        log_dir: Where its logs go.
    """

    def __init__(self, log_dir: str) -> None:
        self._writers = {
            prefix: tf.summary.create_file_writer(os.path.join(log_dir, folder))
            for prefix, folder in (('', 'train'), ('val_', 'validation'))
        }

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write an epoch, from 0 on; values are named as in a history."""
        for name, value in values.items():
            prefix = 'val_' if name.startswith('val_') else ''
            with self._writers[prefix].as_default(step=epoch):
                tf.summary.scalar(f'epoch_{name.removeprefix(prefix)}', value)


def report_epoch(epoch: int, epochs: int, values: Mapping[str, float]) -> None:
    """Tell how an epoch, from 0 on, ended."""
    report_progress(
        f'epoch {epoch + 1}/{epochs}: '
        f'val accuracy {values["val_binary_accuracy"]:.4f}, val loss {values["val_loss"]:.4f}'
    )


class _Progress(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        report_epoch(epoch, self._epochs, logs or {})
