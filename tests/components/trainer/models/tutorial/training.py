"""Trains the tutorial's model on two logical devices of the CPU, in a process of its own.

python -m tests.components.trainer.models.tutorial.training TRAININGS
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from components.common.errors import ConfigError
from tests.components.trainer.tiny import train_stored


def main(trainings: str) -> None:
    """Train by each of the `trainings`, and print the history or the error of each one.

    A training has the folders `examples`, `transform_graph` and `logs`, `settings` and the path
    `weights`, to which the weights are written.
    """
    # Devices are divided before TensorFlow does anything with them.
    (cpu,) = tf.config.list_physical_devices('CPU')
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # On two cores, replicas that wait for each other could take all threads.
    tf.config.threading.set_inter_op_parallelism_threads(8)
    print(json.dumps([train(**training) for training in json.loads(trainings)]))


def train(
    examples: str, transform_graph: str, logs: str, weights: str, settings: dict[str, Any]
) -> dict[str, Any]:
    paths = map(pathlib.Path, (examples, transform_graph, logs))
    try:
        trained = train_stored('tutorial', *paths, **settings)
    except ConfigError as err:
        return {'error': str(err)}
    np.savez(weights, *trained.model.get_weights())
    return {'history': trained.history}


if __name__ == '__main__':
    main(*sys.argv[1:])
