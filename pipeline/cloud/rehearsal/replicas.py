"""Plays the replicas of a custom training job, on this machine."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.cloud.rehearsal.engine import CLUSTER_VARIABLE, Engine, Mount

# The chief included: two show what more would, and each takes the memory of a Trainer.
MOST_REPLICAS = 2


@contextlib.contextmanager
def beside(
    engine: Engine,
    pool: Mapping[str, Any] | None,
    *,
    mounts: Sequence[Mount],
    log: pathlib.Path,
) -> Iterator[dict[str, str]]:
    """Run the workers of a job for as long as the block, which runs the chief.

    As on the service, they are ended when the chief is, and told of each other
    by `TF_CONFIG`.

    Args:
        engine: Runs commands.
        pool: The `WorkerPoolSpec` of the workers; none: the chief is alone.
        mounts: What they see of this machine.
        log: Of the chief; those of the workers lie beside it.

    Yields:
        Environment variables of the chief.
    """
    count = 0 if pool is None else min(int(pool['replicaCount']), MOST_REPLICAS - 1)
    if pool is None or not count:
        yield {}
        return
    addresses = _free_addresses(1 + count)
    cluster = {'chief': addresses[:1], 'worker': addresses[1:]}
    stop = threading.Event()

    def run(index: int) -> None:
        engine.run(
            container_of(pool),
            environment=_environment(cluster, 'worker', index),
            mounts=mounts,
            log=log.with_name(f'{log.stem}-worker-{index}{log.suffix}'),
            stop=stop,
        )

    workers = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield _environment(cluster, 'chief', 0)
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def container_of(pool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container of a `WorkerPoolSpec` as a `PipelineContainerSpec`."""
    container: Mapping[str, Any] = pool.get('containerSpec', {})
    return {**container, 'image': container.get('imageUri', '')}


def _environment(cluster: Mapping[str, Any], kind: str, index: int) -> dict[str, str]:
    config = {'cluster': cluster, 'task': {'type': kind, 'index': index}}
    return {CLUSTER_VARIABLE: json.dumps(config)}


def _free_addresses(count: int) -> list[str]:
    servers = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    found = [f'127.0.0.1:{server.getsockname()[1]}' for server in servers]
    for server in servers:
        server.close()
    return found
