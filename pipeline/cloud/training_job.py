"""The Trainer as a custom training job of Vertex AI.

A pipeline's step may be a `customJob` in place of a container: Vertex AI then
makes the job itself, as one step, with the machines that it names, tells each
replica its place by `TF_CONFIG`, and ends all of them when one fails or the
pipeline is cancelled. TFX's own extension for this has the step submit a second
job and wait for it instead: it keeps a machine busy with waiting, needs project,
region and rights to create jobs in the step, and leaves the job running when the
pipeline is cancelled.
"""

from __future__ import annotations

from typing import Any

from components.common.errors import ConfigError
from pipeline.cloud import kubeflow_spec
from pipeline.cloud.targets import Target
from pipeline.settings.cloud import TrainingJobSettings
from pipeline.settings.config import PipelineConfig

TRAINER = 'Trainer'
# All but the chief are told by it what to train.
WORKER_COMMAND = ('python', '-m', 'components.trainer.worker')


def require_trainable(config: PipelineConfig, target: Target) -> None:
    """Refuse a way to train that the target does not have.

    Raises:
        ConfigError: That names the setting.
    """
    job, distribution = config.cloud.training_job, config.trainer.distribution
    if target != 'vertex' and (job is not None or distribution == 'multi_worker'):
        asked = 'trainer.distribution=multi_worker' if job is None else 'cloud.training_job'
        raise ConfigError(
            f'{target} runs the Trainer in one container, and {asked} asks for a training job',
            hint='several workers would need an operator of their own on the cluster: train there '
            'with one_device or mirrored, or compile for vertex',
        )
    replicas = 0 if job is None else job.replicas
    if distribution == 'multi_worker' and replicas < 2:
        raise ConfigError(
            'trainer.distribution is multi_worker, and the Trainer would run '
            + ('as one step' if job is None else 'on one replica'),
            hint='say --set cloud.training_job.replicas=2, or more',
        )
    if replicas > 1 and distribution != 'multi_worker':
        raise ConfigError(
            f'cloud.training_job has {replicas} replicas, and trainer.distribution is '
            f'{distribution}: each would train for itself',
            hint='say --set trainer.distribution=multi_worker',
        )
    if job is not None and TRAINER in config.cloud.resources:
        raise ConfigError(
            'cloud.resources and cloud.training_job both say what the Trainer gets',
            hint='leave the Trainer out of cloud.resources',
        )


def write_training_job(spec: dict[str, Any], job: TrainingJobSettings) -> None:
    """Make the Trainer a custom job, in place.

    Args:
        spec: As TFX compiles it: the Trainer is a container.
        job: Its machines.
    """
    container = kubeflow_spec.container_of(spec, TRAINER)
    chief = {
        'imageUri': container['image'],
        'command': container['command'],
        'args': container['args'],
    }
    pools = [_pool(job, 1, chief)]
    if job.replicas > 1:
        worker = {'imageUri': container['image'], 'command': list(WORKER_COMMAND)}
        pools.append(_pool(job, job.replicas - 1, worker))
    job_spec: dict[str, Any] = {'workerPoolSpecs': pools}
    if job.service_account is not None:
        job_spec['serviceAccount'] = job.service_account
    label = spec['components'][TRAINER]['executorLabel']
    spec['deploymentSpec']['executors'][label] = {
        'customJob': {'customJob': {'displayName': TRAINER, 'jobSpec': job_spec}}
    }


def _pool(job: TrainingJobSettings, replicas: int, container: dict[str, Any]) -> dict[str, Any]:
    machine: dict[str, Any] = {'machineType': job.machine_type}
    if job.accelerator is not None:
        machine['acceleratorType'] = job.accelerator
        machine['acceleratorCount'] = job.accelerator_count
    return {
        'machineSpec': machine,
        # A 64-bit number, which is a string in protocol buffers' JSON.
        'replicaCount': str(replicas),
        'diskSpec': {'bootDiskType': 'pd-ssd', 'bootDiskSizeGb': job.boot_disk_gb},
        'containerSpec': container,
    }
