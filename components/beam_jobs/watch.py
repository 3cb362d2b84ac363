"""Watches the start of a job on a job service, and ends a job that does not start."""

from __future__ import annotations

import threading
import time

from components.beam_jobs.flink_progress import WORKER, Waiting, find_waiting
from components.beam_jobs.service_job import ServiceJob
from components.common.errors import ServiceError
from components.common.progress import report_progress

_POLL_SECONDS = 3.0
_FIRST_MESSAGE_SECONDS = 15.0
_NEXT_MESSAGE_SECONDS = 60.0


class JobWatch:
    """Reports what a job waits for, in a thread of its own.

    Args:
        job: The job.
        node: Id of the node, for messages.

    Attributes:
        problem: Why the job was ended; None if it was not.

    Example:
        watch = JobWatch(job, 'Transform')
        watch.start()
        pipeline.run().wait_until_finish()
        watch.stop()
    """

    def __init__(self, job: ServiceJob, node: str) -> None:
        self.problem: ServiceError | None = None
        self._job = job
        self._node = node
        self._waiting: Waiting | None = None
        self._since = time.monotonic()
        self._next_message = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._since = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop to watch; a request that is under way is not waited for."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            waiting = self._look()
            if self._stopped.is_set():
                return
            now = time.monotonic()
            if waiting is None or self._waiting is None or waiting.missing != self._waiting.missing:
                self._since, self._next_message = now, _FIRST_MESSAGE_SECONDS
            self._waiting = waiting
            if waiting is not None:
                self._report(waiting, now - self._since)

    def _look(self) -> Waiting | None:
        cluster = self._job.find_cluster()
        unknown = ''
        if cluster is not None:
            try:
                return find_waiting(cluster, self._job.name)
            except ServiceError as err:
                unknown = f'; {err}'
        state = self._job.state()
        return Waiting(f'is {state} on its job service{unknown}') if state else None

    def _report(self, waiting: Waiting, seconds: float) -> None:
        limit = self._job.start_timeout_minutes
        if (
            waiting.missing
            and seconds >= limit * 60
            and not (waiting.missing == WORKER and self._job.workers_may_be_slow)
        ):
            self._stopped.set()
            self.problem = self._timeout(waiting)
            self._job.call_off()
        elif seconds >= self._next_message:
            self._next_message = seconds + _NEXT_MESSAGE_SECONDS
            detail = self._job.workers if waiting.missing == WORKER else waiting.detail
            text = ': '.join(filter(None, [f'the job {waiting.text}', detail]))
            report_progress(f'{text} ({seconds:.0f} s)')

    def _timeout(self, waiting: Waiting) -> ServiceError:
        limit = self._job.start_timeout_minutes
        if waiting.missing == WORKER:
            return ServiceError(
                f'{self._node}: expected a worker for the Beam job within {limit:g} minutes, got '
                f'none: {self._job.workers}',
                hint='each task manager needs its own worker pool, with the packages of this '
                'project: see the logs of pools and task managers; beam.start_timeout_minutes sets '
                'the time',
                may_pass=True,
            )
        return ServiceError(
            f'{self._node}: expected task slots for the Beam job within {limit:g} minutes, got '
            f'none: {waiting.detail}',
            hint='start more task managers, wait for other jobs, or pass a smaller --parallelism '
            'in beam.args; beam.start_timeout_minutes sets the time',
            may_pass=True,
        )
