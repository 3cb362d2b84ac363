"""Trains the tutorial's model on two logical devices of the CPU, in a process of its own.

    python -m tests.components.trainer.models.tutorial.training EXAMPLES GRAPH LOGS WEIGHTS SETTINGS
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.dataset import StoredExamples
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models.tutorial.model import train
from components.trainer.serving import TransformGraph
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import MODEL, TEXT


def train_tutorial(
    examples: pathlib.Path, transform_graph: pathlib.Path, logs: pathlib.Path, **settings: Any
) -> TrainedModel:
    """Train as `run_fn` does."""
    transform = TransformGraph(tft.TFTransformOutput(str(transform_graph)))
    chosen = trainer_settings('tutorial', **{**MODEL, **settings})
    keras.utils.set_random_seed(chosen.seed)
    stored = StoredExamples(str(examples), transform)
    return train(TrainingJob(stored, chosen, TEXT, str(logs)))


def main(examples: str, transform_graph: str, logs: str, weights: str, settings: str) -> None:
    # Devices are divided before TensorFlow does anything with them.
    (cpu,) = tf.config.list_physical_devices('CPU')
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # On two cores, replicas that wait for each other could take all threads.
    tf.config.threading.set_inter_op_parallelism_threads(8)
    trained = train_tutorial(
        pathlib.Path(examples),
        pathlib.Path(transform_graph),
        pathlib.Path(logs),
        **json.loads(settings),
    )
    np.savez(weights, *trained.model.get_weights())
    print(json.dumps(trained.history))


if __name__ == '__main__':
    main(*sys.argv[1:])
