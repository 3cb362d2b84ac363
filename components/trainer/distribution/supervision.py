"""Starts the process of a worker, and ends it when it stands still.

A process of its own, since TensorFlow takes a cluster only before it has done
anything else, and since what hangs in it can be ended from here alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from typing import Any

import numpy as np

from components.common.errors import ComponentError, ReviewsError, class_of
from components.common.module_command import module_command
from components.common.progress import report_progress
from components.trainer.distribution.cluster import Cluster, answers
from components.trainer.distribution.job import WEIGHTS_FILE, Fitted, Job

_PROCESS = 'components.trainer.distribution.process'
# Until the chief has said how long it is; and until the process has imported all that it needs.
_FIRST_TIMEOUT_SECONDS = 600
_ENDING_SECONDS = 5


def train_as_chief(job: Job, cluster: Cluster) -> Fitted:
    """Train together with the other workers.

    Args:
        job: What is trained; they are told.
        cluster: In which this process is the chief.

    Raises:
        ReviewsError: If training fails, here or with another worker, or stands
            still for `worker_timeout_seconds`.
    """
    with tempfile.TemporaryDirectory(prefix='trainer-') as folder:
        done = _run(
            {'job': job.to_json(), 'folder': folder}, cluster, job.trainer.worker_timeout_seconds
        )
        with np.load(os.path.join(folder, WEIGHTS_FILE), allow_pickle=False) as file:
            weights = [file[name] for name in file.files]
    return Fitted(weights, done['history'], done['counts'])


def train_as_worker(cluster: Cluster) -> dict[str, list[int]]:
    """Train what the chief says; the result is the chief's.

    Args:
        cluster: In which this process is another worker.

    Returns:
        By split, how many examples each worker read.

    Raises:
        ReviewsError: If training fails, here or with another worker.
    """
    counts: dict[str, list[int]] = _run({}, cluster, _FIRST_TIMEOUT_SECONDS)['counts']
    return counts


def _run(request: dict[str, Any], cluster: Cluster, timeout_seconds: float) -> dict[str, Any]:
    process = subprocess.Popen(
        module_command(_PROCESS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding='utf-8',
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        assert process.stdin is not None
        # Where it has ended already, that is told below.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + '\n')
            process.stdin.flush()
        return _listen(process, lines, cluster, timeout_seconds)
    finally:
        process.kill()
        process.wait(_ENDING_SECONDS)
        reader.join(_ENDING_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def _listen(
    process: subprocess.Popen[str],
    lines: queue.Queue[str],
    cluster: Cluster,
    timeout_seconds: float,
) -> dict[str, Any]:
    seconds: float = _FIRST_TIMEOUT_SECONDS
    while True:
        try:
            line = lines.get(timeout=seconds)
        except queue.Empty:
            raise _failed(cluster, f'there was no progress for {seconds:.0f} s') from None
        if not line:
            raise _failed(cluster, f'its process ended {_how(process.wait())}')
        said = json.loads(line)
        seconds = timeout_seconds = said.get('timeout_seconds', timeout_seconds)
        if 'progress' in said:
            report_progress(said['progress'])
        if 'error' in said:
            raise _error(said, cluster)
        if 'done' in said:
            found: dict[str, Any] = said['done']
            return found


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put('')


def _error(said: dict[str, Any], cluster: Cluster) -> ReviewsError:
    if 'exit_code' in said:
        return class_of(said['exit_code'])(said['error'], hint=said['hint'])
    return _failed(cluster, said['error'])


def _failed(cluster: Cluster, why: str) -> ComponentError:
    silent = [address for address in cluster.others if not answers(address)]
    who = f'; no answer from {", ".join(silent)}' if silent else ''
    return ComponentError(
        f'training with {len(cluster.addresses)} workers failed in worker {cluster.index}: '
        f'{why}{who}',
        hint='nothing was exported; look at what the other workers print, and start all of them '
        'again',
    )


def _how(code: int) -> str:
    if code >= 0:
        return f'with {code}'
    try:
        return f'by {signal.Signals(-code).name}'
    except ValueError:
        return f'by signal {-code}'
