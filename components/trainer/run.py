"""The function that the Trainer runs: train a model and export it."""

from __future__ import annotations

import json
import os
import posixpath
from typing import TYPE_CHECKING

import keras
import tensorflow as tf
import tensorflow_transform as tft
from scipy import special

from components.common import features
from components.common.settings import TextSettings
from components.example_gen.summary import ExamplesSummary
from components.label_issues.writing import ScoredSplit, write_label_issues
from components.trainer.agreement import require_same_scores
from components.trainer.dataset import StoredExamples
from components.trainer.decision import require_tunable_val, store_threshold
from components.trainer.fitting import History, TrainingJob
from components.trainer.history import HISTORY_FILE
from components.trainer.models import load_architecture
from components.trainer.serving import ServingModel, TransformGraph, export, write_asset
from components.trainer.settings import TrainerSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

TRAINER_KEY = 'trainer'
TEXT_KEY = 'text'


def run_fn(fn_args: FnArgs) -> None:
    """Train the model that the settings describe, and export it.

    Args:
        fn_args: Arguments of TFX's Trainer, which has raw examples and a transform
            graph as inputs; `custom_config` has `TrainerSettings` and
            `TextSettings`. The model is written to `serving_model_dir`, and the
            history and TensorBoard logs to `model_run_dir`.

    Raises:
        ComponentError: If the number of examples read is not the number that
            ExampleGen wrote, or if the exported model returns other scores than
            the trained one.
        ConfigError: If the decision threshold cannot be tuned.
    """
    settings = TrainerSettings.model_validate(fn_args.custom_config[TRAINER_KEY])
    text = TextSettings.model_validate(fn_args.custom_config[TEXT_KEY])
    transform = TransformGraph(tft.TFTransformOutput(fn_args.transform_graph_path))
    transform.require_tokens()
    # A pattern is <artifact>/Split-<name>/*.
    artifact = posixpath.dirname(posixpath.dirname(fn_args.train_files[0]))
    labels = ExamplesSummary.read(artifact).labels
    require_tunable_val(settings, artifact)

    keras.utils.set_random_seed(settings.seed)
    examples = StoredExamples(artifact, transform)
    trained = load_architecture(settings.model.architecture)(
        TrainingJob(examples, settings, text, fn_args.model_run_dir)
    )
    write_history(trained.history, fn_args.model_run_dir)
    scored = {
        split: ScoredSplit(of_split[:, 0], special.expit(logits[:, 0]), examples.rows(split))
        for split, (of_split, logits) in trained.out_of_fold.items()
    }
    write_label_issues(fn_args.model_run_dir, artifact, scored, labels)
    serving_model = ServingModel(trained.model, transform, text)
    export(serving_model, labels, fn_args.serving_model_dir)
    require_same_scores(trained.model, transform, fn_args.eval_files, fn_args.serving_model_dir)
    parts = {TRAINER_KEY: settings.of_weights(), TEXT_KEY: text.model_dump()}
    write_asset(fn_args.serving_model_dir, features.SETTINGS_ASSET, parts)
    store_threshold(
        settings,
        artifact,
        model=fn_args.serving_model_dir,
        model_run=fn_args.model_run_dir,
        out_of_fold=trained.out_of_fold.get(features.VAL_SPLIT),
    )


def write_history(history: History, directory: str) -> None:
    """Write the training history, see `read_history`."""
    tf.io.gfile.makedirs(directory)
    with tf.io.gfile.GFile(os.path.join(directory, HISTORY_FILE), 'w') as file:
        file.write(json.dumps(history, indent=2) + '\n')
