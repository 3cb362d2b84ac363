"""What the Trainer runs: read, fit, export."""

from __future__ import annotations

import json
import os
import posixpath
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.example_gen.summary import ExamplesSummary
from components.progress import report_progress
from components.settings import TextSettings, TrainerSettings
from components.trainer.dataset import LabelledTokens, read_split
from components.trainer.models import ARCHITECTURES
from components.trainer.serving import ServingModel, TransformGraph, export

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

TRAINER_KEY = 'trainer'
TEXT_KEY = 'text'
HISTORY_FILE = 'history.json'


def run_fn(fn_args: FnArgs) -> None:
    """Train the model that the settings describe, and export it.

    Args:
        fn_args: From TFX's Trainer, given raw examples and a transform graph;
            `custom_config` holds `TrainerSettings` and `TextSettings`. The
            model goes to `serving_model_dir`, TensorBoard logs and the history
            to `model_run_dir`.

    Raises:
        RuntimeError: If not as many examples were read as ExampleGen wrote.
    """
    settings = TrainerSettings.model_validate(fn_args.custom_config[TRAINER_KEY])
    text = TextSettings.model_validate(fn_args.custom_config[TEXT_KEY])
    transform = TransformGraph(
        tft.TFTransformOutput(fn_args.transform_graph_path), text.max_tokens
    )
    # Patterns are <artifact>/Split-<name>/*.
    artifact = posixpath.dirname(posixpath.dirname(fn_args.train_files[0]))
    summary = ExamplesSummary.read(artifact)

    train = read_split(fn_args.train_files, transform)
    val = read_split(fn_args.eval_files, transform)
    _require_all(train, summary, features.TRAIN_SPLIT)
    _require_all(val, summary, features.VAL_SPLIT)

    keras.utils.set_random_seed(settings.seed)
    model = ARCHITECTURES[settings.architecture](
        settings, vocab_size=text.vocab_size, max_tokens=text.max_tokens
    )
    history = fit(model, train, val, settings, fn_args.model_run_dir)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), 'w') as file:
        file.write(json.dumps(history, indent=2) + '\n')
    export(ServingModel(model, transform), summary.labels, fn_args.serving_model_dir)


def fit(
    model: keras.Model,
    train: LabelledTokens,
    val: LabelledTokens,
    settings: TrainerSettings,
    log_dir: str,
) -> dict[str, list[float]]:
    """Compile and fit a model that emits logits.

    Args:
        model: Built, not compiled.
        train: What it is fitted to.
        val: What it is measured on after each epoch.
        settings: Of the fit.
        log_dir: Where TensorBoard's logs go.

    Returns:
        By name of a metric (`loss`, `binary_accuracy`, and with `val_` before
        it), its value in each epoch.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        # A logit of 0 is a probability of one half.
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        jit_compile=False,
        # The same steps in the same order; Keras's Python runs between 25 of them, not each.
        steps_per_execution=25,
    )
    callbacks = [
        keras.callbacks.TensorBoard(log_dir, write_graph=False, profile_batch=0),
        _Progress(settings.epochs),
    ]
    if settings.restore_best_epoch:
        # Patience is never exhausted: all epochs are trained, the best is kept.
        callbacks.append(
            keras.callbacks.EarlyStopping(
                'val_loss', mode='min', patience=settings.epochs, restore_best_weights=True
            )
        )
    history = model.fit(
        train.batches(settings.batch_size, shuffle_seed=settings.seed),
        validation_data=val.batches(1_024),
        epochs=settings.epochs,
        callbacks=callbacks,
        verbose=0,
    )
    return {name: [float(v) for v in values] for name, values in history.history.items()}


def _require_all(data: LabelledTokens, summary: ExamplesSummary, split: str) -> None:
    if len(data.labels) != summary.examples(split):
        raise RuntimeError(
            f'expected the {summary.examples(split):,} {split} examples that ExampleGen wrote, '
            f'read {len(data.labels):,}'
        )


class _Progress(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        report_progress(
            f'epoch {epoch + 1}/{self._epochs}: '
            f'val accuracy {logs["val_binary_accuracy"]:.4f}, val loss {logs["val_loss"]:.4f}'
        )
