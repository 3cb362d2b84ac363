"""The workers that train together, as `TF_CONFIG` names them."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from components.common.errors import ComponentError, ConfigError

VARIABLE = 'TF_CONFIG'
EXAMPLE = (
    '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
)

_CHIEF = 'chief'
_WORKER = 'worker'
_PROBE_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Who trains together.

    Attributes:
        addresses: `host:port` of each worker; the first is the chief, which alone
            writes the model.
        index: Which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the chief."""
        return self.index == 0

    @property
    def others(self) -> tuple[str, ...]:
        """The addresses of all workers but this one."""
        return tuple(a for i, a in enumerate(self.addresses) if i != self.index)


def read_cluster(environment: Mapping[str, str]) -> Cluster:
    """Read the cluster from `TF_CONFIG`.

    As TensorFlow has it, the task `chief` is the first worker if there is one,
    else `worker` 0; Vertex AI names a chief.

    Args:
        environment: Of the process.

    Raises:
        ConfigError: If there is no `TF_CONFIG`, or it is not of this form.

    Example:
        >>> read_cluster({'TF_CONFIG': '{"cluster": {"worker": ["a:1", "b:1"]},'
        ...               ' "task": {"type": "worker", "index": 1}}'})
        Cluster(addresses=('a:1', 'b:1'), index=1)
    """
    text = environment.get(VARIABLE, '')
    if not text.strip():
        raise _refused('it is not set')
    try:
        config = json.loads(text)
    except ValueError as err:
        raise _refused(f'it is no JSON ({err})') from err
    cluster = config.get('cluster') if isinstance(config, dict) else None
    task = config.get('task') if isinstance(config, dict) else None
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _refused('it has no cluster or no task')
    unknown = sorted(set(cluster) - {_CHIEF, _WORKER})
    if unknown:
        raise _refused(f'it names tasks of type {unknown[0]}; there are chief and worker')
    chiefs, workers = _addresses(cluster, _CHIEF), _addresses(cluster, _WORKER)
    if len(chiefs) > 1:
        raise _refused(f'it names {len(chiefs)} chiefs, expected one at most')
    if len(set(chiefs + workers)) < len(chiefs + workers):
        raise _refused('it names an address twice')
    of_type = {_CHIEF: chiefs, _WORKER: workers}.get(str(task.get('type')), ())
    index = task.get('index')
    # Vertex AI and others write the index as a text.
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(of_type):
        raise _refused(f'its task is {json.dumps(task)}, which is none of its cluster')
    if len(chiefs + workers) < 2:
        raise _refused('it names one worker, which trains alone: use one_device or mirrored')
    return Cluster(chiefs + workers, index + (len(chiefs) if task['type'] == _WORKER else 0))


def require_chief(environment: Mapping[str, str]) -> Cluster:
    """Read the cluster, of which this process must be the chief.

    Raises:
        ConfigError: If it is another worker, or `TF_CONFIG` is not as expected.
    """
    cluster = read_cluster(environment)
    if not cluster.is_chief:
        raise ConfigError(
            f'{VARIABLE} says that this is worker {cluster.index}, and the pipeline runs where the '
            f'chief is, {cluster.addresses[0]}',
            hint='here, run: python -m components.trainer.worker',
        )
    return cluster


def answers(address: str, seconds: float = _PROBE_SECONDS) -> bool:
    """Tell whether something listens at `host:port`, at most `seconds` from now."""
    host, _, port = address.rpartition(':')
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=seconds).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def await_chief(cluster: Cluster, timeout_seconds: float) -> None:
    """Wait until the chief has come as far as its training.

    TensorFlow itself would give up after a time that nobody chose.

    Raises:
        ComponentError: If it does not within `timeout_seconds`.
    """
    chief = cluster.addresses[0]
    end = time.monotonic() + timeout_seconds
    while not answers(chief):
        if time.monotonic() > end:
            raise ComponentError(
                f'the chief {chief} did not begin to train within {timeout_seconds:.0f} s',
                hint='start the pipeline there, or wait longer with --timeout-seconds; one that '
                'takes its model from the cache needs no worker',
            )
        time.sleep(0.5)


def _addresses(cluster: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    found = cluster.get(kind, [])
    if not isinstance(found, list):
        raise _refused(f'its {kind} is {json.dumps(found)}, expected a list of HOST:PORT')
    for address in found:
        host, _, port = str(address).rpartition(':')
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise _refused(f'its {kind} {address!r} is no HOST:PORT')
    return tuple(map(str, found))


def _refused(why: str) -> ConfigError:
    return ConfigError(
        f'training with several workers takes them from the environment variable {VARIABLE}: {why}',
        hint=f'expected {EXAMPLE}',
    )
