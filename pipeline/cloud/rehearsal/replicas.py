"""Plays the replicas of a custom training job, on this machine."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.common.errors import ReviewsError, StepFailedError
from pipeline.cloud.rehearsal.engine import CLUSTER_VARIABLE, Engine, Mount
from pipeline.cloud.rehearsal.step_failure import step_failed

# The chief included: two show what more would, and each takes the memory of a Trainer.
MOST_REPLICAS = 2
# How long the others may take to end by themselves, once one has ended.
_ENDING_SECONDS = 5.0


class Chief(NamedTuple):
    """How the chief is run.

    Attributes:
        environment: Variables that tell it of the others.
        stop: Is set when it is to be ended, as another one has failed.
    """

    environment: Mapping[str, str]
    stop: threading.Event | None


ALONE = Chief({}, None)


class _Worker(threading.Thread):
    """Waits for the end of a worker.

    Args:
        command: Runs it until an event is set, and returns its exit code.
        chief_stop: Is set some seconds after it has failed.
    """

    def __init__(
        self, command: Callable[[threading.Event], int], chief_stop: threading.Event
    ) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.code = 0
        self.error: Exception | None = None
        self._command = command
        self._chief_stop = chief_stop

    def run(self) -> None:
        try:
            code = self._command(self.stop)
        except Exception as err:  # is raised by who waits for it
            self.error = err
        else:
            # What it ends with when it is ended from here is no failure.
            self.code = 0 if self.stop.is_set() else code
        # The chief may notice, and says more about it then than that it was ended.
        if self.failed and not self.stop.wait(_ENDING_SECONDS):
            self._chief_stop.set()

    @property
    def failed(self) -> bool:
        return bool(self.code) or self.error is not None


@contextlib.contextmanager
def beside(
    engine: Engine,
    pool: Mapping[str, Any] | None,
    *,
    what: str,
    mounts: Sequence[Mount],
    log: pathlib.Path,
) -> Iterator[Chief]:
    """Run the workers of a job for as long as the block, which runs the chief.

    As on the service, all are ended when the chief is, or when one fails, and are
    told of each other by `TF_CONFIG`.

    Args:
        engine: Runs commands.
        pool: The `WorkerPoolSpec` of the workers; none: the chief is alone.
        what: Names the job if a worker fails.
        mounts: What they see of this machine.
        log: Of the chief; those of the workers lie beside it.

    Yields:
        How the chief is run.

    Raises:
        StepFailedError: If a worker ends with an exit code other than 0.
    """
    count = 0 if pool is None else min(int(pool['replicaCount']), MOST_REPLICAS - 1)
    if pool is None or not count:
        yield ALONE
        return
    addresses = _free_addresses(1 + count)
    cluster = {'chief': addresses[:1], 'worker': addresses[1:]}
    logs = [log.with_name(f'{log.stem}-worker-{index}{log.suffix}') for index in range(count)]
    chief = Chief(_environment(cluster, 'chief', 0), threading.Event())

    def command(index: int) -> Callable[[threading.Event], int]:
        return lambda stop: engine.run(
            container_of(pool),
            environment=_environment(cluster, 'worker', index),
            mounts=mounts,
            log=logs[index],
            stop=stop,
        )

    assert chief.stop is not None
    workers = [_Worker(command(index), chief.stop) for index in range(count)]

    def failure() -> Exception | None:
        """Return why a worker has failed, None if none has."""
        for index, worker in enumerate(workers):
            if worker.failed:
                name = f'worker {index} of {what}'
                return worker.error or step_failed(name, worker.code, logs[index])
        return None

    try:
        with _running(workers):
            yield chief
            for worker in workers:
                worker.join(_ENDING_SECONDS)
    except ReviewsError as err:
        found = failure()
        if found is None:
            raise
        if chief.stop.is_set() or not isinstance(found, StepFailedError):
            raise found from err
        raise _both(err, found) from err
    found = failure()
    if found is not None:
        raise found


@contextlib.contextmanager
def _running(workers: Sequence[_Worker]) -> Iterator[None]:
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop.set()
        for worker in workers:
            worker.join()


def _both(of_chief: ReviewsError, of_worker: StepFailedError) -> StepFailedError:
    """Tell of two failures; which came of which, only a person can say."""
    error = StepFailedError(f'{of_chief}; {of_worker}', hint=of_chief.hint)
    error.tail = (*getattr(of_chief, 'tail', ()), *of_worker.tail)
    return error


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
