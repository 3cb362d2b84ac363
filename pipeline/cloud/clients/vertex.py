"""Vertex AI Pipelines, by Google's own client.

Of google-cloud-aiplatform it takes the generated API clients. The classes above them
look for the bucket of each run and create it where it is missing, hide the error where
that fails, and can't change the pipeline of a schedule.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.common.errors import MissingDependencyError, OutcomeUnknownError, ServiceError
from components.common.stacks import quiet_google_imports
from pipeline.cloud.clients import refusals
from pipeline.cloud.clients.protocol import (
    Run,
    RunState,
    RunStatus,
    Schedule,
    ScheduleInfo,
    Verdict,
    verdict_of,
)
from pipeline.cloud.compiled import CompiledPipeline, Value

_CONSOLE = 'https://console.cloud.google.com/vertex-ai/locations'
_CREDENTIALS_HINT = 'run `gcloud auth application-default login`, or set up a service account'
_REQUEST = re.compile(r'^[A-Z]+ https?://\S+: ')
_TIMEOUT_SECONDS = 60
_OPERATION_SECONDS = 120

# By task, output and property, what tells the outcome; the first that is there decides.
_PUSHED = ('Pusher', 'pushed_model', 'pushed')
_BLESSED = ('Evaluator', 'blessing', 'blessed')

_STATES: Mapping[str, RunState] = {
    'PIPELINE_STATE_QUEUED': 'pending',
    'PIPELINE_STATE_PENDING': 'pending',
    'PIPELINE_STATE_RUNNING': 'running',
    'PIPELINE_STATE_CANCELLING': 'running',
    'PIPELINE_STATE_PAUSED': 'running',
    'PIPELINE_STATE_SUCCEEDED': 'succeeded',
    'PIPELINE_STATE_FAILED': 'failed',
    'PIPELINE_STATE_CANCELLED': 'cancelled',
}


class VertexService:
    """Vertex AI Pipelines in one region of a project.

    Args:
        project: Id of the Google Cloud project.
        region: As europe-west4.
        endpoint: Another address than the region's own, for Private Service Connect;
            None for the region's own.
        service_account: That runs are executed as; None for the default one.
        network: Full name of a VPC network to peer with; None for none.

    Raises:
        MissingDependencyError: If google-cloud-aiplatform is not installed.
        ServiceError: If there are no credentials.
    """

    def __init__(
        self,
        project: str,
        region: str,
        *,
        endpoint: str | None = None,
        service_account: str | None = None,
        network: str | None = None,
    ) -> None:
        self._project = project
        self._region = region
        self._parent = f'projects/{project}/locations/{region}'
        self._endpoint = (endpoint or f'https://{region}-aiplatform.googleapis.com').rstrip('/')
        self._service_account = service_account
        self._network = network
        self._api = _import_api()
        with self._asking():
            self._pipelines = self._make(self._api.PipelineServiceClient)
            self._schedules = self._make(self._api.ScheduleServiceClient)

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run; its id begins with the pipeline's name."""
        now = datetime.datetime.now(datetime.timezone.utc)
        job_id = f'{compiled.name}-{now:%Y%m%d%H%M%S%f}'
        with self._asking():
            job = self._pipelines.create_pipeline_job(
                parent=self._parent,
                pipeline_job=self._job(compiled, values),
                pipeline_job_id=job_id if job_id[0].isalpha() else f'run-{job_id}',
                timeout=_TIMEOUT_SECONDS,
            )
        name = self._last_part(job.name)
        return Run(id=name, url=f'{_CONSOLE}/{self._region}/pipelines/runs/{name}{self._query}')

    def status(self, run: Run) -> RunStatus:
        """Ask how a run is."""
        job = self._get(run)
        failed = self._api.PipelineTaskDetail.State.FAILED
        return RunStatus(
            state=_STATES.get(job.state.name, 'pending'),
            failed_tasks=tuple(
                task.task_name for task in job.job_detail.task_details if task.state == failed
            ),
            message=refusals.one_line(job.error.message),
        )

    def verdict(self, compiled: CompiledPipeline, run: Run) -> Verdict:
        """Read it from the properties of what the Pusher, or the Evaluator, put out.

        This holds for cached tasks too: their outputs are those of an earlier run.
        """
        tasks = {task.task_name: task for task in self._get(run).job_detail.task_details}
        pushed = self._flag(tasks, *_PUSHED)
        # Asked for only where it tells something: each look may be a request.
        verdict = verdict_of(pushed, None if pushed else self._flag(tasks, *_BLESSED))
        if verdict is not None:
            return verdict
        raise OutcomeUnknownError(
            'the run succeeded, but not whether it pushed: its Pusher and its Evaluator have no '
            'outputs that say it',
            hint='look at the run',
        )

    def _flag(self, tasks: Mapping[str, Any], task: str, output: str, key: str) -> bool | None:
        if task not in tasks or output not in tasks[task].outputs:
            return None
        values = (self._property(a, key) for a in tasks[task].outputs[output].artifacts)
        found = next((value for value in values if value is not None), None)
        return None if found is None else int(found) == 1

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        """Create a schedule, or change the one of its name; others of it are deleted."""
        zone = f'TZ={schedule.time_zone} ' if schedule.time_zone else ''
        wanted: dict[str, Any] = {
            'display_name': schedule.name,
            'cron': f'{zone}{schedule.cron}',
            # The first limits how many are being started, the second how many go on.
            'max_concurrent_run_count': schedule.max_concurrency,
            'max_concurrent_active_run_count': schedule.max_concurrency,
            # A run that is due while too many go on is left out, not made up for.
            'allow_queueing': False,
            'create_pipeline_job_request': {
                'parent': self._parent,
                'pipeline_job': self._job(compiled, values),
            },
        }
        named = [found for found in self._all() if found.display_name == schedule.name]
        completed = self._api.Schedule.State.COMPLETED
        # One that has come to its end can't be changed any more.
        kept = next((found for found in named if found.state != completed), None)
        with self._asking():
            if kept is None:
                result = self._schedules.create_schedule(
                    parent=self._parent, schedule=wanted, timeout=_TIMEOUT_SECONDS
                )
            else:
                result = self._schedules.update_schedule(
                    schedule={'name': kept.name, **wanted},
                    update_mask={'paths': list(wanted)},
                    timeout=_TIMEOUT_SECONDS,
                )
                if kept.state == self._api.Schedule.State.PAUSED:
                    self._resume(kept.name)
        for found in named:
            if kept is None or found.name != kept.name:
                self._delete(found.name)
        with self._asking():
            result = self._schedules.get_schedule(name=result.name, timeout=_TIMEOUT_SECONDS)
        return self._info(result), bool(named)

    def schedules(self) -> list[ScheduleInfo]:
        """List all schedules of the region, sorted by name."""
        found = [self._info(schedule) for schedule in self._all()]
        return sorted(found, key=lambda info: (info.name, info.id))

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        """Delete a schedule; runs that it started go on."""
        self._delete(f'{self._parent}/schedules/{schedule.id}')

    def _make(self, client: Any) -> Any:
        # By HTTP, which passes through proxies that gRPC does not.
        return client(transport='rest', client_options={'api_endpoint': self._endpoint})

    def _job(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Any:
        job = self._api.PipelineJob.from_json(json.dumps(compiled.job()))
        for name, value in values.items():
            job.runtime_config.parameter_values[name] = value
        if self._service_account:
            job.service_account = self._service_account
        if self._network:
            job.network = self._network
        return job

    def _get(self, run: Run) -> Any:
        with self._asking():
            return self._pipelines.get_pipeline_job(
                name=f'{self._parent}/pipelineJobs/{run.id}', timeout=_TIMEOUT_SECONDS
            )

    def _all(self) -> Sequence[Any]:
        """Return all schedules of pipelines, those first that were made first."""
        with self._asking():
            pages = self._schedules.list_schedules(parent=self._parent, timeout=_TIMEOUT_SECONDS)
            found = [schedule for schedule in pages if 'create_pipeline_job_request' in schedule]
        return sorted(found, key=lambda schedule: (schedule.create_time, schedule.name))

    def _resume(self, name: str) -> None:
        self._schedules.resume_schedule(
            request={'name': name, 'catch_up': False}, timeout=_TIMEOUT_SECONDS
        )

    def _delete(self, name: str) -> None:
        with self._asking():
            operation = self._schedules.delete_schedule(name=name, timeout=_TIMEOUT_SECONDS)
            operation.result(timeout=_OPERATION_SECONDS)

    def _property(self, artifact: Any, key: str) -> float | None:
        """Return a property of an artifact, None if it has none of that name."""
        if not artifact.metadata and artifact.name:
            with self._asking():
                client = self._make(self._api.MetadataServiceClient)
                artifact = client.get_artifact(name=artifact.name, timeout=_TIMEOUT_SECONDS)
        # TFX marks a name that is one of the type's own properties, too.
        for name in (key, f'custom:{key}'):
            if artifact.metadata and name in artifact.metadata:
                return float(artifact.metadata[name])
        return None

    def _info(self, schedule: Any) -> ScheduleInfo:
        schedule_id = self._last_part(schedule.name)
        return ScheduleInfo(
            name=schedule.display_name,
            id=schedule_id,
            cron=schedule.cron,
            active=schedule.state == self._api.Schedule.State.ACTIVE,
            max_concurrency=(
                schedule.max_concurrent_active_run_count or schedule.max_concurrent_run_count
            ),
            url=f'{_CONSOLE}/{self._region}/pipelines/schedules/{schedule_id}{self._query}',
        )

    def _last_part(self, name: str) -> str:
        if not name:
            raise refusals.unexpected(self._service, 'a resource without a name')
        return name.rpartition('/')[2]

    @property
    def _query(self) -> str:
        return f'?project={self._project}'

    @property
    def _service(self) -> str:
        return f'Vertex AI at {self._endpoint}'

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Translate the client's errors."""
        import requests
        from google.api_core import exceptions as api_exceptions
        from google.auth import exceptions as auth_exceptions
        from google.protobuf import json_format

        try:
            yield
        except api_exceptions.RetryError as err:
            raise refusals.unreachable(self._service, err.cause or err) from err
        except api_exceptions.GoogleAPICallError as err:
            # The client puts the whole request in front of the message.
            message = _REQUEST.sub('', str(err.message))
            raise refusals.refusal(
                self._service, int(err.code or 0), message, credentials=_CREDENTIALS_HINT
            ) from err
        except (auth_exceptions.TransportError, requests.RequestException) as err:
            raise refusals.unreachable(self._service, err) from err
        except auth_exceptions.GoogleAuthError as err:
            raise ServiceError(
                f'no credentials for Google Cloud: {refusals.one_line(str(err.args[0]))}',
                hint=_CREDENTIALS_HINT,
            ) from err
        except (json_format.Error, ValueError) as err:
            raise refusals.unexpected(self._service, str(err)) from err


def _import_api() -> Any:
    try:
        with quiet_google_imports():
            from google.cloud import aiplatform_v1
    except ImportError as err:
        raise MissingDependencyError(
            f'Vertex AI needs its client, and it is not installed ({err})',
            hint="run `make cloud`, or pip install -e '.[vertex]'",
        ) from err
    return aiplatform_v1
