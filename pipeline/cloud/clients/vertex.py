"""The service Vertex AI Pipelines, called with the API clients of google-cloud-aiplatform.

The package's classes above these clients look for the bucket of each run and create a
missing one, hide the error if that fails, and cannot change the pipeline of a schedule.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.cloud.clients.service import (
    TASKS,
    Outcome,
    Run,
    RunStatus,
    Schedule,
    outcome_of,
)
from pipeline.cloud.clients.vertex_client import import_api, translated_errors
from pipeline.cloud.clients.vertex_job import FailurePolicy, job_fields, job_of
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value

_CONSOLE = 'https://console.cloud.google.com/vertex-ai/locations'
_TIMEOUT_SECONDS = 60
_OPERATION_SECONDS = 120


class VertexService:
    """Vertex AI Pipelines in one region of a project.

    Args:
        project: Id of the Google Cloud project.
        region: Region, such as europe-west4.
        host: Address of the API, for Private Service Connect; None for the default
            address of the region.
        service_account: Service account that the runs use; None for the default.
        network: Full name of a VPC network to peer with; None for no network.
        reserved_ip_range: Names of IP ranges of the network that the runs may use; empty for
            all.
        label: Labels of the runs as `NAME=VALUE`, added to those of the compiled pipeline.
        encryption_key: Full name of the Cloud KMS key of the runs; None for Google's key.
        failure_policy: What a run does after a failed task: `fast` starts no new tasks, and
            `slow` starts those that do not need the failed one; None for the default, `slow`.

    Raises:
        ConfigError: If a label is not `NAME=VALUE` or is repeated.
        MissingDependencyError: If google-cloud-aiplatform is not installed.
        ServiceError: If there are no credentials.

    Example:
        >>> service = VertexService('my-project', 'europe-west4')  # doctest: +SKIP
        >>> [schedule.name for schedule in service.schedules()]  # doctest: +SKIP
        ['sentiment']
    """

    def __init__(
        self,
        project: str,
        region: str,
        *,
        host: str | None = None,
        service_account: str | None = None,
        network: str | None = None,
        reserved_ip_range: Sequence[str] = (),
        label: Sequence[str] = (),
        encryption_key: str | None = None,
        failure_policy: FailurePolicy | None = None,
    ) -> None:
        self._project = project
        self._region = region
        self._parent = f'projects/{project}/locations/{region}'
        endpoint = (host or f'https://{region}-aiplatform.googleapis.com').rstrip('/')
        self._name = f'Vertex AI at {endpoint}'
        self._fields = job_fields(
            service_account=service_account,
            network=network,
            reserved_ip_range=reserved_ip_range,
            label=label,
            encryption_key=encryption_key,
            failure_policy=failure_policy,
        )
        self._api = import_api()
        # HTTP passes through proxies that refuse gRPC.
        options = {'transport': 'rest', 'client_options': {'api_endpoint': endpoint}}
        with self._translated_errors():
            self._pipelines = self._api.PipelineServiceClient(**options)
            self._schedules = self._api.ScheduleServiceClient(**options)

    def submit(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], name: str | None = None
    ) -> Run:
        """Start a run. Its id begins with the name of the pipeline."""
        now = datetime.datetime.now(datetime.timezone.utc)
        job_id = f'{compiled.name}-{now:%Y%m%d%H%M%S%f}'
        with self._translated_errors():
            job = self._job(compiled, values)
            job.display_name = name or compiled.name
            created = self._pipelines.create_pipeline_job(
                parent=self._parent,
                pipeline_job=job,
                pipeline_job_id=job_id if job_id[0].isalpha() else f'run-{job_id}',
                timeout=_TIMEOUT_SECONDS,
            )
        return self._run(created)

    def find_run(self, run_id: str) -> Run:
        """Return the run with an id, which is the last part of the name of its job."""
        return self._run(self._get(run_id))

    def status(self, run: Run) -> RunStatus:
        """Return the current state of a run."""
        job = self._get(run.id)
        failed = self._api.PipelineTaskDetail.State.FAILED
        return RunStatus(
            state=job.state.name.removeprefix('PIPELINE_STATE_').lower(),
            failed_tasks=tuple(
                task.task_name
                for task in job.job_detail.task_details
                if task.state == failed and task.task_name in TASKS
            ),
            message=job.error.message,
        )

    def cancel(self, run: Run) -> None:
        """Ask the service to stop a run."""
        with self._translated_errors():
            self._pipelines.cancel_pipeline_job(
                name=f'{self._parent}/pipelineJobs/{run.id}', timeout=_TIMEOUT_SECONDS
            )

    def outcome(self, run: Run) -> Outcome:
        """Read the properties of the Pusher's output."""
        properties = {
            name: value
            for task in self._get(run.id).job_detail.task_details
            if task.task_name == 'Pusher' and 'pushed_model' in task.outputs
            for artifact in task.outputs['pushed_model'].artifacts
            for name, value in (artifact.metadata or {}).items()
        }
        return outcome_of(properties, run, otherwise='the output of its Pusher has no properties')

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[Schedule, bool]:
        """Create a schedule, or change the one of the same name and delete its duplicates.

        A change does not resume a paused schedule.
        """
        wanted: dict[str, Any] = {
            'display_name': schedule.name,
            'cron': schedule.cron,
            # The first limits the runs that start, the second those that are active.
            'max_concurrent_run_count': schedule.max_concurrency,
            'max_concurrent_active_run_count': schedule.max_concurrency,
            # A run that is due while too many are active is skipped.
            'allow_queueing': False,
            'create_pipeline_job_request': {
                'parent': self._parent,
                'pipeline_job': self._job(compiled, values),
            },
        }
        named = [found for found in self._all() if found.display_name == schedule.name]
        # One that is active is changed if there is one, so that the result is, too.
        named.sort(key=lambda found: not self._is_active(found))
        with self._translated_errors():
            if not named:
                name = self._schedules.create_schedule(
                    parent=self._parent, schedule=wanted, timeout=_TIMEOUT_SECONDS
                ).name
            else:
                name = named[0].name
                self._schedules.update_schedule(
                    schedule={'name': name, **wanted},
                    update_mask={'paths': list(wanted)},
                    timeout=_TIMEOUT_SECONDS,
                )
            for duplicate in named[1:]:
                self._delete(duplicate.name)
            result = self._schedules.get_schedule(name=name, timeout=_TIMEOUT_SECONDS)
        return self._schedule(result), bool(named)

    def schedules(self) -> list[Schedule]:
        """List all schedules of the region, sorted by name."""
        found = [self._schedule(schedule) for schedule in self._all()]
        return sorted(found, key=lambda info: (info.name, info.id))

    def set_schedule_active(self, schedule: Schedule, *, active: bool) -> None:
        """Resume or pause a schedule. It does not start the runs that it missed."""
        name = f'{self._parent}/schedules/{schedule.id}'
        with self._translated_errors():
            if active:
                self._schedules.resume_schedule(
                    request={'name': name, 'catch_up': False}, timeout=_TIMEOUT_SECONDS
                )
            else:
                self._schedules.pause_schedule(name=name, timeout=_TIMEOUT_SECONDS)

    def delete_schedule(self, schedule: Schedule) -> None:
        """Delete a schedule. Runs that it started continue."""
        with self._translated_errors():
            self._delete(f'{self._parent}/schedules/{schedule.id}')

    def _job(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Any:
        job = job_of(compiled, values, self._fields)
        return self._api.PipelineJob.from_json(json.dumps(job))

    def _get(self, run_id: str) -> Any:
        with self._translated_errors():
            return self._pipelines.get_pipeline_job(
                name=f'{self._parent}/pipelineJobs/{run_id}', timeout=_TIMEOUT_SECONDS
            )

    def _run(self, job: Any) -> Run:
        return Run(id=_id_of(job), url=self._url(f'runs/{_id_of(job)}'))

    def _all(self) -> list[Any]:
        """Return all schedules of pipelines, sorted by creation time."""
        with self._translated_errors():
            pages = self._schedules.list_schedules(parent=self._parent, timeout=_TIMEOUT_SECONDS)
            found = [schedule for schedule in pages if 'create_pipeline_job_request' in schedule]
        return sorted(found, key=lambda schedule: (schedule.create_time, schedule.name))

    def _delete(self, name: str) -> None:
        operation = self._schedules.delete_schedule(name=name, timeout=_TIMEOUT_SECONDS)
        operation.result(timeout=_OPERATION_SECONDS)

    def _schedule(self, schedule: Any) -> Schedule:
        job = schedule.create_pipeline_job_request.pipeline_job
        return Schedule(
            name=schedule.display_name,
            id=_id_of(schedule),
            cron=schedule.cron,
            active=self._is_active(schedule),
            max_concurrency=(
                schedule.max_concurrent_active_run_count or schedule.max_concurrent_run_count
            ),
            url=self._url(f'schedules/{_id_of(schedule)}'),
            parameters={
                name: _number_of(value)
                for name, value in job.runtime_config.parameter_values.items()
            },
            next_run=_text_of(schedule.next_run_time),
            last_run=_text_of(schedule.last_scheduled_run_response.scheduled_run_time),
        )

    def _is_active(self, schedule: Any) -> bool:
        return bool(schedule.state == self._api.Schedule.State.ACTIVE)

    def _url(self, path: str) -> str:
        return f'{_CONSOLE}/{self._region}/pipelines/{path}?project={self._project}'

    def _translated_errors(self) -> contextlib.AbstractContextManager[None]:
        return translated_errors(self._name)


def _id_of(resource: Any) -> str:
    name: str = resource.name
    return name.rpartition('/')[2]


def _number_of(value: Any) -> Any:
    # All numbers in the client's answers are floats.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text_of(time: datetime.datetime | None) -> str | None:
    return time.isoformat(timespec='seconds') if time else None
