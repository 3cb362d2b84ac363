"""What the Trainer runs: read, train, export."""

from __future__ import annotations

import json
import os
import posixpath
from typing import TYPE_CHECKING

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.settings import TextSettings, TrainerSettings
from components.example_gen.summary import ExamplesSummary
from components.trainer.agreement import require_same_scores
from components.trainer.dataset import LabelledTokens, read_split
from components.trainer.distribution.cluster import require_chief
from components.trainer.distribution.job import Job
from components.trainer.distribution.supervision import train_as_chief
from components.trainer.distribution.training import local_team, train
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.history import HISTORY_FILE
from components.trainer.models import load_architecture, load_builder, load_finisher
from components.trainer.serving import ServingModel, TransformGraph, export

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

TRAINER_KEY = 'trainer'
TEXT_KEY = 'text'


def run_fn(fn_args: FnArgs) -> None:
    """Train the model that the settings describe, and export it.

    Args:
        fn_args: From TFX's Trainer, given raw examples and a transform graph;
            `custom_config` holds `TrainerSettings` and `TextSettings`. The
            model goes to `serving_model_dir`, TensorBoard logs and the history
            to `model_run_dir`.

    Raises:
        ConfigError: If several workers are to train, and `TF_CONFIG` does not
            name them, with this process as the chief.
        ComponentError: If not as many examples were read as ExampleGen wrote,
            what is served does not score as what was trained, or training with
            other workers fails.
    """
    settings = TrainerSettings.model_validate(fn_args.custom_config[TRAINER_KEY])
    text = TextSettings.model_validate(fn_args.custom_config[TEXT_KEY])
    transform = TransformGraph(tft.TFTransformOutput(fn_args.transform_graph_path))
    # Patterns are <artifact>/Split-<name>/*.
    artifact = posixpath.dirname(posixpath.dirname(fn_args.train_files[0]))
    labels = ExamplesSummary.read(artifact).labels

    if settings.distribution == 'one_device' and settings.input == 'memory':
        trained = _train_alone(fn_args, artifact, transform, settings, text)
    else:
        trained = _train_in_parts(fn_args, artifact, settings, text)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), 'w') as file:
        file.write(json.dumps(trained.history, indent=2) + '\n')
    serving_model = ServingModel(trained.model, transform, text)
    export(serving_model, labels, fn_args.serving_model_dir)
    require_same_scores(
        trained.model, transform, fn_args.eval_files, fn_args.serving_model_dir
    )
    extra = os.path.join(fn_args.serving_model_dir, 'assets.extra')
    with tf.io.gfile.GFile(os.path.join(extra, features.SETTINGS_ASSET), 'w') as file:
        parts = {TRAINER_KEY: settings.model_dump(), TEXT_KEY: text.model_dump()}
        file.write(json.dumps(parts, indent=2) + '\n')


def _train_alone(
    fn_args: FnArgs,
    artifact: str,
    transform: TransformGraph,
    settings: TrainerSettings,
    text: TextSettings,
) -> TrainedModel:
    """Have the architecture train on all examples in memory."""
    summary = ExamplesSummary.read(artifact)
    train = read_split(fn_args.train_files, transform)
    val = read_split(fn_args.eval_files, transform)
    for split, data in ((features.TRAIN_SPLIT, train), (features.VAL_SPLIT, val)):
        summary.require('Trainer', [split], len(data.labels))

    def read_unlabelled() -> LabelledTokens | None:
        if not summary.unlabelled:
            return None
        split = posixpath.join(artifact, f'Split-{features.UNLABELLED_SPLIT}', '*')
        unlabelled = read_split([split], transform, labelled=False)
        summary.require('Trainer', [features.UNLABELLED_SPLIT], len(unlabelled.labels))
        return unlabelled

    keras.utils.set_random_seed(settings.seed)
    return load_architecture(settings.architecture)(
        TrainingJob(train, val, read_unlabelled, settings, text, fn_args.model_run_dir)
    )


def _train_in_parts(
    fn_args: FnArgs, artifact: str, settings: TrainerSettings, text: TextSettings
) -> TrainedModel:
    """Have several devices or workers train, or one that does not keep all examples."""
    job = Job(
        examples=artifact,
        train_files=tuple(fn_args.train_files),
        val_files=tuple(fn_args.eval_files),
        transform_graph=fn_args.transform_graph_path,
        log_dir=fn_args.model_run_dir,
        trainer=settings,
        text=text,
    )
    if settings.distribution == 'multi_worker':
        fitted = train_as_chief(job, require_chief(os.environ))
    else:
        fitted = train(job, local_team(settings.distribution))
    # Made anew: what is exported has variables of one device.
    network = load_builder(settings.architecture)(settings, text)
    network.set_weights(fitted.weights)
    return TrainedModel(load_finisher(settings.architecture)(network, text), fitted.history)
