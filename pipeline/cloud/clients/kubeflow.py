"""Kubeflow Pipelines v2, by kfp's own client."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.common.errors import OutcomeUnknownError, ServiceError
from pipeline.cloud.clients import gate, mlmd, refusals
from pipeline.cloud.clients.kfp_client import make_client, watch_requests
from pipeline.cloud.clients.protocol import (
    Run,
    RunState,
    RunStatus,
    Schedule,
    ScheduleInfo,
    Verdict,
)
from pipeline.cloud.compiled import CompiledPipeline, Value

_CREDENTIALS_HINT = 'give a valid token with --token-file or in KFP_TOKEN'
_PAGE = 100

_STATES: Mapping[str, RunState] = {
    'PENDING': 'pending',
    'RUNNING': 'running',
    'PAUSED': 'running',
    'CANCELING': 'running',
    'SUCCEEDED': 'succeeded',
    'SKIPPED': 'succeeded',
    'FAILED': 'failed',
    'CANCELED': 'cancelled',
}


class KubeflowService:
    """The API of one installation of Kubeflow Pipelines.

    Args:
        host: Its address, as http://127.0.0.1:8080 of a port-forward.
        read_token: Returns the token to send, anew for each request, so that one
            that is rotated in its file stays valid; None to send none.
        namespace: Of the user, where there are several; None elsewhere.
        service_account: That runs are executed as; None for the default one.

    Raises:
        MissingDependencyError: If kfp is not installed.
    """

    def __init__(
        self,
        host: str,
        *,
        read_token: Callable[[], str] | None = None,
        namespace: str | None = None,
        service_account: str | None = None,
    ) -> None:
        self._host = host.rstrip('/')
        self._read_token = read_token
        self._namespace = namespace
        self._service_account = service_account
        self._client = make_client(self._host, read_token, namespace)
        self._http = watch_requests(self._client, self._service)

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run, in the experiment of the pipeline's name."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self._asking(), _package(compiled) as package:
            run = self._client.run_pipeline(
                experiment_id=self._experiment(compiled.name),
                job_name=f'{compiled.name} {now:%Y-%m-%dT%H-%M-%SZ}',
                pipeline_package_path=package,
                params=dict(values),
                pipeline_root=compiled.pipeline_root,
                service_account=self._service_account,
            )
            run_id = self._required(run.run_id, 'a run without an id')
        return Run(id=run_id, url=f'{self._host}/#/runs/details/{run_id}')

    def status(self, run: Run) -> RunStatus:
        """Ask how a run is."""
        with self._asking():
            found = self._client.get_run(run.id)
            self._required(found.run_id, 'a run without an id')
            details = found.run_details.task_details if found.run_details else None
            failed = [
                task.display_name.removesuffix('-driver')
                for task in details or ()
                if task.state == 'FAILED' and task.display_name
            ]
            return RunStatus(
                state=_STATES.get(found.state or '', 'pending'),
                failed_tasks=tuple(dict.fromkeys(failed)),
                message=refusals.one_line((found.error.message if found.error else '') or ''),
            )

    def verdict(self, compiled: CompiledPipeline, run: Run) -> Verdict:
        """Ask the metadata store; else read the blessing below the pipeline root.

        The API itself does not have it. The store can be asked where `host` is the
        user interface, not the bare API. The service puts an output of a task into
        `ROOT/PIPELINE/RUN/TASK/[SALT/]OUTPUT`, where older versions have no salt; a
        blessing taken from the cache lies with an earlier run and is not found.
        """
        token = self._read_token() if self._read_token else ''
        try:
            return mlmd.read_verdict(self._http, self._host, run.id, token)
        except OutcomeUnknownError as err:
            no_metadata = err
        folder = f'{compiled.pipeline_root.rstrip("/")}/{compiled.name}/{run.id}'
        try:
            return gate.read_verdict(folder)
        except OutcomeUnknownError as err:
            raise OutcomeUnknownError(
                f'the run succeeded, but not whether it pushed: {no_metadata}, and {err}',
                hint=f'look at {run.url}; the user interface as --host, or a pipeline root that '
                'can be read from here, tells it',
            ) from err

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        """Create a recurring run, in place of all others of its name.

        The API can't change one. So the new one is created without starting runs,
        the old ones are deleted, and only then it is switched on: at no time do two
        start runs, and if the service refuses the new one, the old one stays.
        """
        replaced = [info for info in self.schedules() if info.name == schedule.name]
        with self._asking(), _package(compiled) as package:
            created = self._client.create_recurring_run(
                experiment_id=self._experiment(compiled.name),
                job_name=schedule.name,
                # The first of its six fields are the seconds.
                cron_expression=f'0 {schedule.cron}',
                max_concurrency=schedule.max_concurrency,
                no_catchup=True,
                params=dict(values),
                pipeline_package_path=package,
                pipeline_root=compiled.pipeline_root,
                enabled=False,
                service_account=self._service_account,
            )
            created_id = self._required(created.recurring_run_id, 'a recurring run without an id')
        try:
            for info in replaced:
                self.delete_schedule(info)
        except ServiceError:
            with contextlib.suppress(ServiceError), self._asking():
                self._client.delete_recurring_run(created_id)
            raise
        with self._asking():
            self._client.enable_recurring_run(created_id)
            return self._info(self._client.get_recurring_run(created_id)), bool(replaced)

    def schedules(self) -> list[ScheduleInfo]:
        """List all recurring runs that the user sees, sorted by name."""
        found: list[ScheduleInfo] = []
        token = ''
        with self._asking():
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token, page_size=_PAGE, namespace=self._namespace
                )
                found += [self._info(run) for run in page.recurring_runs or ()]
                token = page.next_page_token or ''
                if not token:
                    return sorted(found, key=lambda info: (info.name, info.id))

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        """Delete a recurring run; runs that it started go on."""
        with self._asking():
            self._client.delete_recurring_run(schedule.id)

    def _info(self, run: Any) -> ScheduleInfo:
        trigger = run.trigger
        cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else None
        run_id = self._required(run.recurring_run_id, 'a recurring run without an id')
        return ScheduleInfo(
            name=run.display_name or '',
            id=run_id,
            cron=cron or '',
            active=str(run.status or run.mode).startswith('ENABLE'),
            max_concurrency=int(run.max_concurrency or 1),
            url=f'{self._host}/#/recurringrun/details/{run_id}',
        )

    def _experiment(self, name: str) -> str:
        experiment = self._client.create_experiment(name=name, namespace=self._namespace)
        return self._required(experiment.experiment_id, 'an experiment without an id')

    def _required(self, value: str | None, otherwise: str) -> str:
        if not value:
            raise refusals.unexpected(self._service, otherwise)
        return value

    @property
    def _service(self) -> str:
        return f'Kubeflow Pipelines at {self._host}'

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Translate the client's errors; keep what it prints off standard output."""
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as err:
            message = self._without_token(_message(err))
            if err.status:
                raise refusals.refusal(
                    self._service, err.status, message, credentials=_CREDENTIALS_HINT
                ) from err
            raise refusals.unreachable(self._service, RuntimeError(message)) from err
        except urllib3.exceptions.HTTPError as err:
            raise refusals.unreachable(self._service, err) from err
        except ValueError as err:  # an answer that the client's models don't take
            raise refusals.unexpected(self._service, self._without_token(str(err))) from err

    def _without_token(self, text: str) -> str:
        token = self._read_token() if self._read_token else ''
        return text.replace(token, '…') if token else text


@contextlib.contextmanager
def _package(compiled: CompiledPipeline) -> Iterator[str]:
    """Write a pipeline into a file for as long as the client wants to read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f'{compiled.name}.yaml'
        path.write_text(compiled.text(), encoding='utf-8')
        yield str(path)


def _message(err: Any) -> str:
    body = err.body.decode('utf-8', 'replace') if isinstance(err.body, bytes) else err.body
    try:
        answer = json.loads(body or '')
    except ValueError:
        return str(err.reason or '')
    if not isinstance(answer, dict):
        return str(err.reason or '')
    return str(answer.get('message') or answer.get('error') or err.reason or '')
