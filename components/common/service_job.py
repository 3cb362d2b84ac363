"""A Beam job on a job service: its name, and how to end it.

The job server of Flink only notes that a job is cancelled, and leaves it running on the cluster
(`JobInvocation.cancel` in Beam's runners/java-job-service). So a job is ended on Flink itself.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import uuid

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PortableOptions,
)
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from components.common.errors import ServiceError
from components.common.flink import FlinkCluster
from components.common.job_service import JobService
from components.common.progress import report_progress
from components.common.running_job import ENDING_SECONDS, ending_job, job_ended, job_started

_log = logging.getLogger(__name__)

# Of the services that do what they are told, how long one may take.
_CANCELLING_SECONDS = 5.0
_POLL_SECONDS = 0.2


class ServiceJob:
    """The job of a pipeline on a job service.

    Attributes:
        name: Its name, which no other job has.

    Example:
        job = ServiceJob.of(pipeline, 'Transform')
    """

    def __init__(self, options: beam.options.pipeline_options.PipelineOptions, node: str) -> None:
        google = options.view_as(GoogleCloudOptions)
        words = [google.job_name or '', node, uuid.uuid4().hex[:6]]
        # Lower case and hyphens, as the strictest service wants them.
        self.name = re.sub(r'[^a-z0-9]+', '-', '-'.join(filter(None, words)).lower())
        google.job_name = self.name
        self._endpoint: str | None = options.view_as(PortableOptions).job_endpoint
        self._flink_master: str | None = options.view_as(FlinkRunnerOptions).flink_master

    @classmethod
    def of(cls, pipeline: beam.Pipeline, node: str) -> ServiceJob | None:
        """Give the job of a pipeline its name; None if the pipeline runs without a job service.

        The name consists of the Beam option `--job_name`, the node, and random digits.
        """
        if not isinstance(pipeline.runner, PortableRunner):
            return None
        return cls(pipeline.options, node)

    def submitting(self) -> None:
        """Note that the job is about to be handed to the service."""
        where = f'the job service {self._endpoint}' if self._endpoint else 'the job service'
        job_started(self.name, f'cancel it on the cluster of {where}')
        _log.info('the Beam job %s', self.name)

    def done(self) -> None:
        """Note that the job has ended."""
        job_ended()

    def call_off(self, result: PipelineResult | None) -> None:
        """End the job if it has not ended, and wait for it.

        Args:
            result: What the runner returned for the job; None if it was interrupted before.
        """
        options = JobService(self._endpoint).options_of(self.name) if self._endpoint else None
        not_submitted = result is None and not options
        if not_submitted or (result is not None and PipelineState.is_terminal(_state(result))):
            job_ended()
            return
        with ending_job():
            on_flink = self._end_on_flink(options or {})
            if result is not None:
                # The service may be gone, or not know the job.
                with contextlib.suppress(Exception):
                    result.cancel()
            if on_flink if on_flink is not None else _has_ended(result):
                job_ended()

    def _end_on_flink(self, options: dict[str, object]) -> bool | None:
        """Return whether the job has ended on Flink; None if Flink does not run it."""
        master = str(options.get('flink_master') or self._flink_master or '')
        if master.startswith('['):
            if 'flink_conf_dir' not in options:  # an option that only Flink's job server adds
                return None
            job_started(self.name, f'it runs in the job server {self._endpoint}, and ends with it')
            return False
        cluster = FlinkCluster(master)
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


def _state(result: PipelineResult) -> str:
    # The service may be gone, or not know the job.
    with contextlib.suppress(Exception):
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
