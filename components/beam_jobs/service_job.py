"""A Beam job on a job service: its name, and how to end it.

The job server of Flink only notes that a job is cancelled, and leaves it running on the cluster
(`JobInvocation.cancel` in Beam's runners/java-job-service). So a job is ended on Flink itself.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
import uuid
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from components.beam_jobs.flink import FlinkCluster
from components.beam_jobs.job_service import JobService, ServedJob
from components.beam_jobs.running_job import ENDING_SECONDS, ending_job, job_ended, job_started
from components.common.errors import ServiceError
from components.common.progress import report_progress

_log = logging.getLogger(__name__)

START_TIMEOUT_MINUTES = 5.0

# Of the services that do what they are told, how long one may take.
_CANCELLING_SECONDS = 5.0
_POLL_SECONDS = 0.2


class StartOptions(PipelineOptions):  # type: ignore[misc]
    """Options of this project among those of a Beam pipeline."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument('--start_timeout_minutes', type=float, default=START_TIMEOUT_MINUTES)


class ServiceJob:
    """The job of a pipeline on a job service.

    Its name consists of the Beam option `--job_name`, the node, and random digits.

    Args:
        pipeline: The pipeline, whose runner is a PortableRunner.
        node: Id of the node.

    Attributes:
        name: Its name, which no other job has.
        start_timeout_minutes: How long it may wait for task slots, and for a worker.

    Example:
        job = ServiceJob.of(pipeline, 'Transform')
    """

    def __init__(self, pipeline: beam.Pipeline, node: str) -> None:
        self._pipeline = pipeline
        options = pipeline.options
        google = options.view_as(GoogleCloudOptions)
        words = [google.job_name or '', node, uuid.uuid4().hex[:6]]
        # Lower case and hyphens, as the strictest service wants them.
        self.name = re.sub(r'[^a-z0-9]+', '-', '-'.join(filter(None, words)).lower())
        google.job_name = self.name
        self.start_timeout_minutes: float = options.view_as(StartOptions).start_timeout_minutes
        portable = options.view_as(PortableOptions)
        self._environment = portable.environment_type
        self._environment_config = portable.environment_config
        self._endpoint: str | None = portable.job_endpoint
        self._flink_master: str = options.view_as(FlinkRunnerOptions).flink_master
        self._served: ServedJob | None = None
        self._calling_off = threading.Lock()
        self._called_off = False

    @classmethod
    def of(cls, pipeline: beam.Pipeline, node: str) -> ServiceJob | None:
        """Return the job of a pipeline; None if the pipeline runs without a job service."""
        return cls(pipeline, node) if isinstance(pipeline.runner, PortableRunner) else None

    @property
    def workers(self) -> str:
        """How the workers are started, in the words of Beam's options."""
        # Other environments than pools may have variables with credentials.
        config = self._environment_config if self._environment == 'EXTERNAL' else ''
        return ' '.join(filter(None, [self._environment or 'DOCKER', config]))

    @property
    def workers_may_be_slow(self) -> bool:
        """Whether a task manager may need any time for a worker, to download its image."""
        return self._environment in (None, 'DOCKER')

    def submitting(self) -> None:
        """Note that the job is about to be handed to the service."""
        where = f'the job service {self._endpoint}' if self._endpoint else 'the job service'
        job_started(self.name, f'cancel it on the cluster of {where}')
        _log.info('the Beam job %s', self.name)

    def done(self) -> None:
        """Note that the job has ended."""
        job_ended()

    def state(self) -> str | None:
        """Return the state of the job in the words of its service, None if it does not know it."""
        served = self._ask_service()
        return served.state if served else None

    def find_cluster(self) -> FlinkCluster | None:
        """Return the Flink cluster that runs the job; None if there is none, or it is not known."""
        if self._served is None:
            self._ask_service()
        master = self._option('flink_master') or self._flink_master
        return None if master.startswith('[') else FlinkCluster(master)

    def call_off(self) -> None:
        """End the job if it has not ended, and wait for it; a second call does nothing."""
        with self._calling_off:
            if not self._called_off:
                self._called_off = True
                self._call_off()

    def _call_off(self) -> None:
        result = getattr(self._pipeline, 'result', None)
        served = self._ask_service()
        not_submitted = result is None and served is None
        # The service may call a job cancelled that still runs.
        if not_submitted or _state(result) in (PipelineState.DONE, PipelineState.FAILED):
            job_ended()
            return
        with ending_job():
            on_flink = self._end_on_flink()
            if result is not None:
                # The service may be gone, or not know the job.
                with contextlib.suppress(Exception):
                    result.cancel()
            if on_flink if on_flink is not None else _has_ended(result):
                job_ended()

    def _ask_service(self) -> ServedJob | None:
        served = JobService(self._endpoint).find_job(self.name) if self._endpoint else None
        self._served = served or self._served
        return served

    def _option(self, name: str) -> str:
        return str((self._served.options.get(name) if self._served else None) or '')

    def _end_on_flink(self) -> bool | None:
        """Return whether the job has ended on Flink; None if Flink does not run it."""
        cluster = self.find_cluster()
        if cluster is None:
            # An option that only Flink's job server adds.
            if self._served is None or 'flink_conf_dir' not in self._served.options:
                return None
            job_started(self.name, f'it runs in the job server {self._endpoint}, and ends with it')
            return False
        job_started(self.name, f'cancel it in Flink, {cluster.url}')
        report_progress(f'ending the Beam job {self.name} on Flink, {cluster.url}')
        try:
            job = cluster.end_job(self.name, seconds=ENDING_SECONDS)
        except ServiceError as err:
            report_progress(f'the Beam job {self.name} was not ended: {err}')
            return False
        if job is not None and job.ended:
            report_progress(f'the Beam job {self.name} has ended on Flink: {job.state}')
            return True
        return False


def _state(result: PipelineResult | None) -> str:
    # The service may be gone, or not know the job.
    with contextlib.suppress(Exception):
        if result is not None:
            return str(result.state)
    return str(PipelineState.UNKNOWN)


def _has_ended(result: PipelineResult | None) -> bool:
    deadline = time.monotonic() + _CANCELLING_SECONDS
    while result is not None and time.monotonic() < deadline:
        state = _state(result)
        if PipelineState.is_terminal(state):
            return True
        if state == PipelineState.UNKNOWN:
            return False
        time.sleep(_POLL_SECONDS)
    return False
