"""Processes in which the executors of nodes run side by side.

They are forked when everything is imported, and before TensorFlow, Beam or gRPC have started
threads, which a forked process would lack. So they start at once, share the memory of what is
imported, and any of them can be killed without harm to the run.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Sequence
from multiprocessing.connection import Connection
from typing import Any

from components.common.errors import ComponentError
from components.common.progress import PROGRESS_LOGGER, report_progress
from pipeline.local.failures import explain

_log = logging.getLogger(__name__)

# On macOS, a forked process may not call the system's frameworks.
CAN_FORK = sys.platform == 'linux'

_ENDED_HINT = (
    'the machine may have run out of memory; to resume with one node at a time, run the same '
    'command again with --set concurrent_nodes=1'
)

# A function that a worker calls, and its arguments. It returns what can be pickled.
Job = tuple[Callable[..., Any], tuple[Any, ...]]


class StoppedError(BaseException):
    """The process of a node was ended on purpose.

    It is not an Exception, because TFX records a node with an Exception as failed.
    """


class _RemoteTraceback(Exception):
    """Shows the traceback of an error in a worker, as its cause."""

    def __str__(self) -> str:
        return f'\n{self.args[0]}'


class _Worker:
    """A process, and the connection to it.

    Args:
        others: This process's ends of the connections to workers that exist already.
    """

    def __init__(self, others: Sequence[Connection]) -> None:
        context = multiprocessing.get_context('fork')
        self.connection, theirs = context.Pipe()
        self.stopped = False
        self.process = context.Process(target=_serve, args=(theirs, [*others, self.connection]))
        self.process.start()
        theirs.close()
        # Here and in the worker: whoever comes first.
        with contextlib.suppress(OSError):
            os.setpgid(self._pid, 0)

    @property
    def _pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def stop(self) -> None:
        """Kill the process, and all processes that it has started."""
        self.stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def run(self, node_id: str, job: Job) -> Any:
        try:
            self.connection.send((node_id, job))
            while True:
                kind, value = self.connection.recv()
                if kind == 'progress':
                    report_progress(f'{node_id}: {value}')
                elif kind == 'result':
                    return value
                else:
                    error, trace = value
                    raise error from _RemoteTraceback(trace)
        except (EOFError, ConnectionError) as err:
            self.process.join()
            if self.stopped:
                raise StoppedError(node_id) from err
            raise _ended_error(node_id, self.process.exitcode or 0) from err


class NodeWorkers:
    """A pool of processes, each of which runs the executor of one node at a time.

    Args:
        count: Number of processes.

    Example:
        with NodeWorkers(2) as workers:
            workers.run('Trainer', (train, (settings,)))
    """

    def __init__(self, count: int) -> None:
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._workers.append(_Worker([worker.connection for worker in self._workers]))
        # The one that ended last comes first: it may have in memory what the next node reads.
        self._idle = self._workers[::-1]
        self._busy: dict[str, _Worker] = {}
        self._stopped: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> NodeWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()

    @property
    def count(self) -> int:
        """Number of processes that have not ended."""
        return sum(worker.process.is_alive() for worker in self._workers)

    def run(self, node_id: str, job: Job) -> Any:
        """Call a function in an idle process, and wait for its result.

        Args:
            node_id: The node that it belongs to. No other call for this node may be in progress.
            job: The function, and its arguments.

        Raises:
            ReviewsError: If the function raised an exception, see `failures.explain`, or its
                process was ended by someone else.
            StoppedError: If `stop` was called for the node.
        """
        with self._lock:
            if node_id in self._stopped:
                raise StoppedError(node_id)
            self._idle = [worker for worker in self._idle if worker.process.is_alive()]
            if not self._idle:
                raise _no_process_error(node_id)
            worker = self._busy[node_id] = self._idle.pop()
        try:
            return worker.run(node_id, job)
        finally:
            with self._lock:
                del self._busy[node_id]
                self._idle.append(worker)

    def stop(self, node_ids: Collection[str] | None = None) -> None:
        """Kill the processes of nodes, of which some may not have started; or all processes."""
        with self._lock:
            if node_ids is None:
                stopped = self._workers
            else:
                self._stopped.update(node_ids)
                stopped = [worker for name, worker in self._busy.items() if name in node_ids]
            for worker in stopped:
                worker.stop()


class _Sender(logging.Handler):
    """Sends the progress of a node to the process of the run."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        super().__init__(logging.INFO)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send('progress', record.getMessage())


def _serve(connection: Connection, of_parent: Sequence[Connection]) -> None:
    """Run jobs until the process of the run closes the connection, or ends."""
    # The connection counts as closed only if no process holds the other end.
    for other in of_parent:
        other.close()
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    # The handlers belong to the process of the run, which ends this one.
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    lock = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with lock:
            connection.send((kind, value))

    logger = logging.getLogger(PROGRESS_LOGGER)
    # The process of the run also writes it to the log.
    logger.handlers[:], logger.propagate = [_Sender(send)], False
    jobs: queue.SimpleQueue[tuple[str, Job]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, jobs), daemon=True).start()
    while True:
        node_id, (function, arguments) = jobs.get()
        try:
            result = function(*arguments)
        except Exception as err:
            _log.info('%s failed', node_id, exc_info=True)
            send('error', (explain(err, node_id), traceback.format_exc()))
        else:
            send('result', result)


def _receive(connection: Connection, jobs: queue.SimpleQueue[tuple[str, Job]]) -> None:
    # In a thread, so that the end of the run is noticed while an executor works.
    try:
        while True:
            jobs.put(connection.recv())
    # The connection is reset if the process of the run has not read all that was sent to it.
    except (EOFError, ConnectionError):
        pass
    finally:
        os.killpg(0, signal.SIGKILL)


def _ended_error(node_id: str, code: int) -> ComponentError:
    how = f'exit code {code}' if code >= 0 else signal.Signals(-code).name
    return ComponentError(f'{node_id}: its process was ended by {how}', hint=_ENDED_HINT)


def _no_process_error(node_id: str) -> ComponentError:
    return ComponentError(f'{node_id}: all processes for nodes were ended', hint=_ENDED_HINT)
