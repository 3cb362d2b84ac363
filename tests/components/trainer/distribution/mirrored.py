"""Trains a job on two logical devices of this machine's CPU, in a process of its own.

    python -m tests.components.trainer.distribution.mirrored JOB WEIGHTS
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from components.trainer.distribution.job import Job
from components.trainer.distribution.training import local_team, train


def main(job_file: str, weights_file: str) -> None:
    # Devices are divided before TensorFlow does anything with them.
    (cpu,) = tf.config.list_physical_devices('CPU')
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    job = Job.from_json(pathlib.Path(job_file).read_text())
    team = local_team(job.trainer.distribution)
    fitted = train(job, team)
    np.savez(weights_file, *fitted.weights)
    print(json.dumps({'replicas': team.local_replicas, 'history': fitted.history}))


if __name__ == '__main__':
    main(*sys.argv[1:])
