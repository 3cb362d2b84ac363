"""The service Kubeflow Pipelines v2, called with the client of the kfp package."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import pathlib
import tempfile
import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from components.common import secrets
from components.common.entry_point import PROPERTIES_FILE
from components.common.errors import ConfigError, MissingDependencyError
from pipeline.cloud.clients.service import (
    Outcome,
    Run,
    RunStatus,
    Schedule,
    outcome_of,
    refused,
    unexpected,
    unreachable,
)
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.kubeflow_spec import DRIVER_SUFFIX
from pipeline.cloud.parameters import Value
from pipeline.process.logs import no_framework_noise

_TOKEN_VARIABLE = 'KFP_TOKEN'
_CREDENTIALS_HINT = 'pass a valid token by --token-file or KFP_TOKEN'
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECT_RETRIES = 1
_PAGE = 100
# The backend writes an output to TASK/SALT/OUTPUT.
_PROPERTIES = f'Pusher/*/pushed_model/{PROPERTIES_FILE}'


class KubeflowService:
    """The API of an installation of Kubeflow Pipelines.

    Args:
        host: Its address, such as http://127.0.0.1:8080 of a port-forward.
        token_file: File with the token; None for the variable KFP_TOKEN. It is read for each
            request, because Kubernetes renews tokens in place.
        namespace: Namespace of the user; None for an installation with one user.
        service_account: Service account that the runs use; None for the default.

    Raises:
        ConfigError: If the token cannot be read or is malformed.
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
        token_file: str | None = None,
        namespace: str | None = None,
        service_account: str | None = None,
    ) -> None:
        self._host = host.rstrip('/')
        self._name = f'Kubeflow Pipelines at {self._host}'
        self._namespace = namespace
        self._service_account = service_account
        self._client = _make_client(self._host, token_file, namespace)
        _check_answers(self._client, self._name)

    def submit(self, compiled: CompiledPipeline, values: Mapping[str, Value]) -> Run:
        """Start a run, in the experiment with the name of the pipeline."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self._request(compiled, values) as request:
            run = self._client.run_pipeline(
                job_name=f'{compiled.name} {now:%Y-%m-%dT%H-%M-%SZ}', **request
            )
        return Run(id=run.run_id, url=f'{self._host}/#/runs/details/{run.run_id}')

    def status(self, run: Run) -> RunStatus:
        """Return the current state of a run."""
        with self._translated_errors():
            found = self._client.get_run(run.id)
        details = found.run_details.task_details if found.run_details else None
        failed = [
            task.display_name.removesuffix(DRIVER_SUFFIX)
            for task in details or ()
            if task.state == 'FAILED' and task.display_name
        ]
        return RunStatus(
            state=(found.state or 'pending').lower(),
            failed_tasks=tuple(dict.fromkeys(failed)),
            message=(found.error.message if found.error else '') or '',
        )

    def outcome(self, compiled: CompiledPipeline, run: Run) -> Outcome:
        """Read the file that the Pusher's step wrote below the pipeline root.

        The API has no outputs of tasks.
        """
        folder = f'{compiled.pipeline_root.rstrip("/")}/{compiled.name}/{run.id}'
        reason = f'there is no output of the Pusher below {folder}'
        properties: dict[str, Any] = {}
        try:
            with no_framework_noise():
                from tfx.dsl.io import fileio

                for path in fileio.glob(f'{folder}/{_PROPERTIES}'):
                    with fileio.open(path) as file:
                        properties = json.loads(file.read())
        except Exception as err:  # each file system has its own errors
            reason = f'{folder} cannot be read: {err}'
        return outcome_of(properties, run, otherwise=reason)

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[Schedule, bool]:
        """Create a recurring run, and delete all others of the same name.

        The API cannot change a recurring run. The new one is created disabled, the old
        ones are deleted, and then the new one is enabled. So two are never active at the
        same time, and if the service refuses the new one, the old one stays.
        """
        replaced = [info for info in self.schedules() if info.name == schedule.name]
        # Kubeflow Pipelines takes six fields, of which the first are the seconds.
        five_fields = len(schedule.cron.split()) == 5
        with self._request(compiled, values) as request:
            created = self._client.create_recurring_run(
                job_name=schedule.name,
                cron_expression=f'0 {schedule.cron}' if five_fields else schedule.cron,
                max_concurrency=schedule.max_concurrency,
                no_catchup=True,
                enabled=False,
                **request,
            ).recurring_run_id
        for info in replaced:
            self.delete_schedule(info)
        with self._translated_errors():
            self._client.enable_recurring_run(created)
            return self._schedule(self._client.get_recurring_run(created)), bool(replaced)

    def schedules(self) -> list[Schedule]:
        """List all recurring runs that the user can see, sorted by name."""
        found: list[Schedule] = []
        token = ''
        with self._translated_errors():
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token, page_size=_PAGE, namespace=self._namespace
                )
                found += [self._schedule(run) for run in page.recurring_runs or ()]
                token = page.next_page_token or ''
                if not token:
                    return sorted(found, key=lambda info: (info.name, info.id))

    def delete_schedule(self, schedule: Schedule) -> None:
        """Delete a recurring run. Runs that it started continue."""
        with self._translated_errors():
            self._client.delete_recurring_run(schedule.id)

    def _schedule(self, run: Any) -> Schedule:
        cron = run.trigger and run.trigger.cron_schedule and run.trigger.cron_schedule.cron
        return Schedule(
            name=run.display_name or '',
            id=run.recurring_run_id,
            cron=cron or '',
            active=str(run.status or run.mode).startswith('ENABLE'),
            max_concurrency=int(run.max_concurrency or 1),
            url=f'{self._host}/#/recurringrun/details/{run.recurring_run_id}',
        )

    @contextlib.contextmanager
    def _request(
        self, compiled: CompiledPipeline, values: Mapping[str, Value]
    ) -> Iterator[dict[str, Any]]:
        """Yield the arguments for a run or a recurring run; the client reads a file."""
        with self._translated_errors(), tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f'{compiled.name}.yaml'
            path.write_text(compiled.text(), encoding='utf-8')
            experiment = self._client.create_experiment(compiled.name, namespace=self._namespace)
            yield {
                'experiment_id': experiment.experiment_id,
                'pipeline_package_path': str(path),
                'params': dict(values),
                'pipeline_root': compiled.pipeline_root,
                'service_account': self._service_account,
            }

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate the client's errors, and keep its output from standard output."""
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as err:
            message = _message(err)
            if not err.status:
                raise unreachable(self._name, message) from err
            raise refused(self._name, err.status, message, credentials=_CREDENTIALS_HINT) from err
        except urllib3.exceptions.HTTPError as err:
            raise unreachable(self._name, err) from err
        except ValueError as err:  # an answer that does not fit the client's classes
            raise unexpected(self._name, str(err)) from err


def read_token(file: str | None) -> str:
    """Return the token in a file, or else in the variable KFP_TOKEN; empty if there is none.

    Raises:
        ConfigError: If the token cannot be read or is malformed. The message does not
            contain it.
    """
    try:
        text = pathlib.Path(file).read_text(encoding='utf-8') if file else ''
    except (OSError, UnicodeError) as err:
        reason = getattr(err, 'strerror', None) or 'it is not text'
        raise ConfigError(
            f'cannot read the token from {file}: {reason}',
            hint='pass a text file that you may read: --token-file FILE',
        ) from err
    token = (text if file else os.environ.get(_TOKEN_VARIABLE, '')).strip()
    if (file and not token) or not token.isascii() or not token.isprintable() or ' ' in token:
        raise ConfigError(
            f'{file or _TOKEN_VARIABLE}: expected one token and nothing else',
            hint='a token has ASCII characters only, and no spaces: write it again, on one line',
        )
    if token:
        secrets.register(token)
    return token


def _make_client(host: str, token_file: str | None, namespace: str | None) -> Any:
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

    credentials = types.SimpleNamespace(
        refresh_api_key_hook=lambda config: config.api_key.update(
            authorization=read_token(token_file)
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Client(
            host=host,
            credentials=credentials if read_token(token_file) else None,
            namespace=namespace or 'kubeflow',
        )


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
            raise unexpected(service, f'expected JSON, got {kind}')
        return response

    rest.request = checked


def _message(err: Any) -> str:
    """Return the reason in an ApiException, whose own text has all headers."""
    try:
        answer = json.loads(err.body)
        return str(answer.get('message') or answer.get('error') or err.reason)
    except (TypeError, ValueError, AttributeError):
        return str(err.reason or '')
