"""Tells from the state of a Flink job whether it waits for task slots or for workers."""

from __future__ import annotations

from typing import Any, NamedTuple

from components.beam_jobs.flink import FlinkCluster

SLOTS = 'task slots'
WORKER = 'a worker'


class Waiting(NamedTuple):
    """What a job waits for.

    Attributes:
        text: What is said about the job: a verb and what follows.
        missing: SLOTS or WORKER if the job waits for this, and may do so for ever; empty otherwise.
        detail: What there is instead.
    """

    text: str
    missing: str = ''
    detail: str = ''


def find_waiting(cluster: FlinkCluster, name: str) -> Waiting | None:
    """Return what a job waits for; None if it works, or has ended.

    Args:
        cluster: The cluster that runs the job.
        name: Name of the job.

    Raises:
        ServiceError: If the cluster cannot be reached.
    """
    job = cluster.find_job(name)
    if job is None:
        return Waiting('is being submitted to Flink')
    if job.ended:
        return None
    vertices = cluster.get(f'/jobs/{job.id}')['vertices']
    if not vertices or job.state != 'RUNNING':
        return Waiting(f'is {job.state} on Flink')
    if any(vertex['tasks']['SCHEDULED'] for vertex in vertices):
        slots = cluster.get('/overview')
        total, free = slots['slots-total'], slots['slots-available']
        needed = max(vertex['parallelism'] for vertex in vertices)
        detail = f'Flink has {total} ({free} free), and the job needs up to {needed}'
        return Waiting('waits for task slots', SLOTS, detail)
    deployed = [vertex for vertex in vertices if vertex['status'] != 'CREATED']
    if not deployed:
        return Waiting('is being deployed on Flink')
    return Waiting('waits for a worker', WORKER) if _lacks_worker(deployed) else None


def _lacks_worker(vertices: list[dict[str, Any]]) -> bool:
    """Return whether no stage with Python code has started.

    The first one reads the single record of the source as soon as it has a worker. So a stage that
    works for hours on one record is not taken for one that waits.
    """
    metrics = [vertex['metrics'] for vertex in vertices]
    # Before the task managers have reported, all numbers are 0.
    if not all(metric['read-records-complete'] for metric in metrics):
        return False
    return not any(metric['read-records'] for metric in metrics)
