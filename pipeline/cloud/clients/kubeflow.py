"""The service Kubeflow Pipelines v2, called with the client of the kfp package."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import pathlib
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.common.errors import MissingDependencyError, OutcomeUnknownError, ServiceError
from pipeline.cloud.clients import service_errors
from pipeline.cloud.clients.service import (
    Outcome,
    Run,
    RunState,
    RunStatus,
    Schedule,
    ScheduleInfo,
)
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value
from pipeline.process.logs import no_framework_noise

_CREDENTIALS_HINT = 'pass a valid token by --token-file or KFP_TOKEN'
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECT_RETRIES = 1
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
# The backend writes an output to TASK/[SALT/]OUTPUT; older versions have no salt.
_BLESSINGS = ('Evaluator/blessing/*', 'Evaluator/*/blessing/*')


class KubeflowService:
    """The API of an installation of Kubeflow Pipelines.

    Args:
        host: Its address, such as http://127.0.0.1:8080 of a port-forward.
        read_token: Returns the token. It is called for each request, so that a token
            that is renewed in its file stays valid. None to send no token.
        namespace: Namespace of the user; None for an installation with one user.
        service_account: Service account that the runs use; None for the default.

    Raises:
        MissingDependencyError: If kfp is not installed.

    Example:
        >>> service = KubeflowService('http://127.0.0.1:8080')  # doctest: +SKIP
        >>> [schedule.name for schedule in service.schedules()]  # doctest: +SKIP
        ['sentiment']
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
        self._name = f'Kubeflow Pipelines at {self._host}'
        self._namespace = namespace
        self._service_account = service_account
        self._client = _make_client(self._host, read_token, namespace)
        _check_answers(self._client, self._name)

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run, in the experiment with the name of the pipeline."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self._translated_errors(), _package(compiled) as package:
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
        """Return the current state of a run."""
        with self._translated_errors():
            found = self._client.get_run(run.id)
            self._required(found.run_id, 'a run without an id')
        details = found.run_details.task_details if found.run_details else None
        failed = [
            # The backend adds a task NAME-driver for each task.
            task.display_name.removesuffix('-driver')
            for task in details or ()
            if task.state == 'FAILED' and task.display_name
        ]
        return RunStatus(
            state=_STATES.get(found.state or '', 'pending'),
            failed_tasks=tuple(dict.fromkeys(failed)),
            message=(found.error.message if found.error else '') or '',
        )

    def outcome(self, compiled: CompiledPipeline, run: Run) -> Outcome:
        """Read the blessing of the Evaluator from the pipeline root.

        The API has no outputs of tasks. A blessing from the cache belongs to an earlier
        run, and is not found. If the model is blessed, the Pusher pushed it, or it was
        live already, or a rollback had withdrawn it; otherwise the run would have failed.
        """
        folder = f'{compiled.pipeline_root.rstrip("/")}/{compiled.name}/{run.id}'
        reason = f'there is no blessing below {folder}'
        files: set[str] = set()
        try:
            with no_framework_noise():
                from tfx.dsl.io import fileio

                for pattern in _BLESSINGS:
                    paths = fileio.glob(f'{folder}/{pattern}')
                    files.update(path.rstrip('/').rpartition('/')[2] for path in paths)
        except Exception as err:  # each file system has its own errors
            reason = f'{folder} cannot be read: {err}'
        if 'NOT_BLESSED' in files:
            return 'not_blessed'
        if 'BLESSED' in files:
            return 'pushed'
        raise OutcomeUnknownError(
            f'the run succeeded, but its result is unknown: {reason}', hint=f'see {run.url}'
        )

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[ScheduleInfo, bool]:
        """Create a recurring run, and delete all others of the same name.

        The API cannot change a recurring run. The new one is created disabled, the old
        ones are deleted, and then the new one is enabled. So two are never active at the
        same time, and if the service refuses the new one, the old one stays.
        """
        replaced = [info for info in self.schedules() if info.name == schedule.name]
        # Kubeflow Pipelines takes six fields, of which the first are the seconds.
        five_fields = len(schedule.cron.split()) == 5
        with self._translated_errors(), _package(compiled) as package:
            created = self._client.create_recurring_run(
                experiment_id=self._experiment(compiled.name),
                job_name=schedule.name,
                cron_expression=f'0 {schedule.cron}' if five_fields else schedule.cron,
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
            with contextlib.suppress(ServiceError), self._translated_errors():
                self._client.delete_recurring_run(created_id)
            raise
        with self._translated_errors():
            self._client.enable_recurring_run(created_id)
            return self._info(self._client.get_recurring_run(created_id)), bool(replaced)

    def schedules(self) -> list[ScheduleInfo]:
        """List all recurring runs that the user can see, sorted by name."""
        found: list[ScheduleInfo] = []
        token = ''
        with self._translated_errors():
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token, page_size=_PAGE, namespace=self._namespace
                )
                found += [self._info(run) for run in page.recurring_runs or ()]
                token = page.next_page_token or ''
                if not token:
                    return sorted(found, key=lambda info: (info.name, info.id))

    def delete_schedule(self, schedule: ScheduleInfo) -> None:
        """Delete a recurring run. Runs that it started continue."""
        with self._translated_errors():
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
            raise service_errors.unexpected(self._name, otherwise)
        return value

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate the client's errors, and keep its output from standard output."""
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as err:
            if not err.status:
                raise service_errors.unreachable(self._name, RuntimeError(_message(err))) from err
            raise service_errors.refused(
                self._name, err.status, _message(err), credentials=_CREDENTIALS_HINT
            ) from err
        except urllib3.exceptions.HTTPError as err:
            raise service_errors.unreachable(self._name, err) from err
        except ValueError as err:  # an answer that does not fit the client's classes
            raise service_errors.unexpected(self._name, str(err)) from err


def _make_client(host: str, read_token: Callable[[], str] | None, namespace: str | None) -> Any:
    try:
        import kfp
        import kfp_server_api
    except ImportError as err:
        raise MissingDependencyError(
            f'the client of Kubeflow Pipelines is not installed ({err})',
            hint="run `make cloud`, or pip install -e '.[kubeflow]'",
        ) from err

    class Client(kfp.Client):
        """kfp's client without the health check of its constructor.

        The check retries for 25 s, logs tracebacks and hides the reason. The first
        request reports the same error at once.
        """

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    def refresh(config: Any) -> None:
        config.api_key['authorization'] = read_token() if read_token else ''

    credentials = types.SimpleNamespace(refresh_api_key_hook=refresh) if read_token else None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Client(host=host, credentials=credentials, namespace=namespace or 'kubeflow')


def _check_answers(client: Any, service: str) -> None:
    """Limit the time of a request, and refuse answers that are not JSON.

    kfp's client has no limit, and reads a login page as an answer without values, such
    as an empty list.
    """
    rest = client._run_api.api_client.rest_client
    rest.pool_manager.connection_pool_kw['retries'] = _CONNECT_RETRIES
    request = rest.request

    def checked(*args: Any, **kwargs: Any) -> Any:
        limits = (_CONNECT_SECONDS, _READ_SECONDS)
        kwargs['_request_timeout'] = kwargs.get('_request_timeout') or limits
        response = request(*args, **kwargs)
        kind = response.urllib3_response.headers.get('Content-Type', 'none')
        if 'json' not in kind:
            raise service_errors.unexpected(service, f'expected JSON, got {kind}')
        return response

    rest.request = checked


@contextlib.contextmanager
def _package(compiled: CompiledPipeline) -> Iterator[str]:
    """Write a pipeline to a temporary file for the client."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f'{compiled.name}.yaml'
        path.write_text(compiled.text(), encoding='utf-8')
        yield str(path)


def _message(err: Any) -> str:
    body = err.body.decode('utf-8', 'replace') if isinstance(err.body, bytes) else err.body
    answer = None
    with contextlib.suppress(ValueError):
        answer = json.loads(body or '')
    fields = answer if isinstance(answer, dict) else {}
    return str(fields.get('message') or fields.get('error') or err.reason or '')
