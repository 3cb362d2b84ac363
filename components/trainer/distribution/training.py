"""What each worker of a training does."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.progress import report_progress
from components.example_gen.summary import ExamplesSummary
from components.trainer.distribution.job import Fitted, Job
from components.trainer.distribution.loop import Team, fit
from components.trainer.distribution.pulse import Pulse
from components.trainer.distribution.rows import MemoryRows, Rows, StreamedRows
from components.trainer.distribution.shards import shard_of
from components.trainer.models import load_builder
from components.trainer.serving import TransformGraph


def train(job: Job, team: Team, alive: Callable[[], None] = lambda: None) -> Fitted:
    """Read this worker's part of the examples, and fit the model together with the others.

    Args:
        job: What is trained.
        team: Who trains.
        alive: Is called again and again, as long as there is progress.

    Raises:
        ComponentError: If all workers together did not read what ExampleGen wrote.
    """
    settings, width = job.trainer, job.text.max_tokens
    transform = TransformGraph(tft.TFTransformOutput(job.transform_graph))

    pulse = Pulse(team, alive)

    def read(patterns: tuple[str, ...]) -> Rows:
        shard = shard_of(patterns, team.workers, team.index)
        if settings.input == 'stream':
            return StreamedRows(shard, transform, width, seed=settings.seed, alive=pulse.beat)
        return MemoryRows(shard, transform, width, alive=pulse.beat)

    parts = {
        features.TRAIN_SPLIT: read(job.train_files),
        features.VAL_SPLIT: read(job.val_files),
    }
    pulse.wait()
    counts = {split: team.of_each(part.count) for split, part in parts.items()}
    summary = ExamplesSummary.read(job.examples)
    for split, of_workers in counts.items():
        summary.require('Trainer', [split], sum(of_workers))
        if team.workers > 1:
            each = ' + '.join(f'{count:,}' for count in of_workers)
            report_progress(f'{split}: the workers read {each} examples')
    keras.utils.set_random_seed(settings.seed)
    build = load_builder(settings.architecture)
    weights, history = fit(
        team,
        lambda: build(settings, job.text),
        parts=parts,
        counts=counts,
        settings=settings,
        log_dir=job.log_dir,
        alive=alive,
    )
    return Fitted(weights, history, counts)


def local_team(distribution: str) -> Team:
    """Return this process alone, with one device or with all that it has.

    Args:
        distribution: `one_device` or `mirrored`.
    """
    if distribution == 'one_device':
        return Team(tf.distribute.get_strategy())
    devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
    return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))
