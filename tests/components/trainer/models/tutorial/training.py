"""Trains the tutorial's model on two logical devices of the CPU, in a process of its own.

python -m tests.components.trainer.models.tutorial.training EXAMPLES GRAPH LOGS WEIGHTS SETTINGS
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from tests.components.trainer.tiny import train_stored


def main(examples: str, transform_graph: str, logs: str, weights: str, settings: str) -> None:
    # Devices are divided before TensorFlow does anything with them.
    (cpu,) = tf.config.list_physical_devices('CPU')
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # On two cores, replicas that wait for each other could take all threads.
    tf.config.threading.set_inter_op_parallelism_threads(8)
    paths = map(pathlib.Path, (examples, transform_graph, logs))
    trained = train_stored('tutorial', *paths, **json.loads(settings))
    np.savez(weights, *trained.model.get_weights())
    print(json.dumps(trained.history))


if __name__ == '__main__':
    main(*sys.argv[1:])
