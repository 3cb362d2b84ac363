"""The service Kubeflow Pipelines v2, called with the client of the kfp package."""

from __future__ import annotations

import contextlib
import datetime
import io
import pathlib
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.common.entry_point import PUSHED_MODEL
from pipeline.cloud.clients.kfp_client import (
    call,
    check_answers,
    make_client,
    message_of,
    page_address,
)
from pipeline.cloud.clients.registration import REFUSALS, register_version
from pipeline.cloud.clients.run_folder import read_pushed_properties
from pipeline.cloud.clients.service import (
    TASKS,
    Outcome,
    Run,
    RunStatus,
    Schedule,
    outcome_of,
    refused,
    unexpected,
    unreachable,
)
from pipeline.cloud.clients.status_line import print_status
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.kubeflow_spec import DRIVER_SUFFIX, PUSHER
from pipeline.cloud.parameters import Value

_CREDENTIALS_HINT = (
    'pass a valid token by --token-file or KFP_TOKEN, or another login by --client-option'
)
_PAGE = 100


class KubeflowService:
    """The API of an installation of Kubeflow Pipelines.

    Args:
        host: Its address, such as http://127.0.0.1:8080 of a port-forward; None for the
            address that kfp's client finds inside a cluster or in a kubeconfig file.
        token_file: File with the token; None for the variable KFP_TOKEN. It is read for each
            request, because Kubernetes renews tokens in place.
        namespace: Namespace of the user; None for an installation with one user.
        service_account: Service account that the runs use; None for the default.
        experiment: Experiment of the runs; None for the one with the name of the pipeline.
        client_option: Further arguments of kfp's client as `NAME=VALUE` or `NAME=@FILE`.

    Raises:
        ConfigError: If the token cannot be read or is malformed, an option of the client is
            wrong, or there is no address.
        MissingDependencyError: If kfp is not installed.
        ServiceError: If the login of the client fails.

    Example:
        >>> service = KubeflowService('http://127.0.0.1:8080')  # doctest: +SKIP
        >>> [schedule.name for schedule in service.schedules()]  # doctest: +SKIP
        ['sentiment']
    """

    def __init__(
        self,
        host: str | None = None,
        *,
        token_file: str | None = None,
        namespace: str | None = None,
        service_account: str | None = None,
        experiment: str | None = None,
        client_option: Sequence[str] = (),
    ) -> None:
        self._client = make_client(host, token_file, namespace, client_option)
        self._page = page_address(self._client)
        self._name = f'Kubeflow Pipelines at {self.address}'
        self._namespace = namespace
        self._service_account = service_account
        self._experiment = experiment
        check_answers(self._client, self._name)

    @property
    def address(self) -> str:
        """Address of the API."""
        address: str = self._client._existing_config.host
        return address

    def submit(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], name: str | None = None
    ) -> Run:
        """Start a run of the registered version of the pipeline."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self._request(compiled, values) as request:
            run = self._client.run_pipeline(
                job_name=name or f'{compiled.name} {now:%Y-%m-%dT%H-%M-%SZ}', **request
            )
        return self._run(run)

    def find_run(self, run_id: str) -> Run:
        """Return the run with an id."""
        with self._translated_errors():
            return self._run(self._client.get_run(run_id))

    def status(self, run: Run) -> RunStatus:
        """Return the current state of a run."""
        with self._translated_errors():
            found = self._client.get_run(run.id)
        details = found.run_details.task_details if found.run_details else None
        names = [task.display_name for task in details or () if task.state == 'FAILED']
        state = (found.state or 'pending').lower()
        if state == 'failed' and not details:
            tasks = self._whole(run).get('tasks', ())
            names = [task.get('name') for task in tasks if task.get('state') == 'FAILED']
        # The state of a cancelled run is CANCELING, and FAILED at its end
        # (backend/src/apiserver/resource/resource_manager.go, ReportWorkflowResource).
        if 'CANCELING' in [entry.state for entry in found.state_history or ()][-2:-1]:
            state = 'canceled'
        failed = [name.removesuffix(DRIVER_SUFFIX) for name in names if name]
        return RunStatus(
            state=state,
            failed_tasks=tuple(dict.fromkeys(name for name in failed if name in TASKS)),
            message=(found.error.message if found.error else '') or '',
        )

    def cancel(self, run: Run) -> None:
        """Ask the service to stop a run."""
        with self._translated_errors():
            self._client.terminate_run(run.id)

    def outcome(self, run: Run) -> Outcome:
        """Return what the Pusher's output says.

        The API of 2.x has no outputs of tasks. Then the file that the Pusher's step wrote
        below the pipeline root is read.
        """
        whole = self._whole(run)
        for task in whole.get('tasks', ()):
            for output in task.get('outputs', {}).get('artifacts', ()):
                if task.get('name') == PUSHER and output.get('artifact_key') == PUSHED_MODEL:
                    (artifact,) = output['artifacts']
                    return outcome_of(
                        artifact.get('metadata', {}), run, otherwise='the Pusher has no properties'
                    )
        root = whole.get('runtime_config', {}).get('pipeline_root', '')
        properties, reason = read_pushed_properties(root, run.id)
        return outcome_of(properties, run, otherwise=reason)

    def _run(self, run: Any) -> Run:
        return Run(id=run.run_id, url=f'{self._page}/#/runs/details/{run.run_id}')

    def _whole(self, run: Run) -> dict[str, Any]:
        """Return a run with its tasks, which it does not have before 3.0.

        The classes of kfp's client do not have the field (backend/api/v2beta1/run.proto on the
        branch of 3.0, `PipelineTask`).
        """
        path = f'runs/{urllib.parse.quote(run.id, safe="")}'
        with self._translated_errors():
            return call(self._client, 'GET', path, query={'view': 'FULL'})

    def put_schedule(
        self, compiled: CompiledPipeline, values: Mapping[str, Value], schedule: Schedule
    ) -> tuple[Schedule, bool]:
        """Create a recurring run, and delete all others of the same name.

        The API cannot change a recurring run. The new one is created disabled, the old
        ones are deleted, and then the new one is enabled. So two are never active at the
        same time, and if the service refuses the new one, the old one stays. It stays
        disabled if the old ones were.
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
            if not replaced or any(info.active for info in replaced):
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

    def set_schedule_active(self, schedule: Schedule, *, active: bool) -> None:
        """Enable or disable a recurring run.

        When it is enabled, the controller starts the latest run that it missed
        (backend/src/crd/controller/scheduledworkflow/util/cron_schedule.go).
        """
        with self._translated_errors():
            if active:
                self._client.enable_recurring_run(schedule.id)
            else:
                self._client.disable_recurring_run(schedule.id)

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
            url=f'{self._page}/#/recurringrun/details/{run.recurring_run_id}',
            # The API does not tell the times of the runs
            # (backend/api/v2beta1/recurring_run.proto).
            parameters=(run.runtime_config and run.runtime_config.parameters) or {},
        )

    @contextlib.contextmanager
    def _request(
        self, compiled: CompiledPipeline, values: Mapping[str, Value]
    ) -> Iterator[dict[str, Any]]:
        """Yield the arguments for a run or a recurring run of the registered pipeline.

        They have the file of the specification if the service does not let the user register
        it.
        """
        import kfp_server_api

        with self._translated_errors(), tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f'{compiled.name}.yaml'
            path.write_text(compiled.text(), encoding='utf-8')
            experiment = self._client.create_experiment(
                self._experiment or compiled.name, namespace=self._namespace
            )
            try:
                source = register_version(
                    self._client, compiled.name, path, namespace=self._namespace
                )
            except kfp_server_api.ApiException as err:
                if err.status not in REFUSALS:
                    raise
                print_status(f'the pipeline is not registered: {err.status} {message_of(err)}')
                source = {'pipeline_package_path': str(path)}
            yield {
                **source,
                'experiment_id': experiment.experiment_id,
                'params': dict(values),
                'pipeline_root': compiled.pipeline_root or None,
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
            message = message_of(err)
            if not err.status:
                raise unreachable(self._name, message) from err
            raise refused(self._name, err.status, message, credentials=_CREDENTIALS_HINT) from err
        except urllib3.exceptions.HTTPError as err:
            raise unreachable(self._name, err) from err
        except ValueError as err:  # an answer that does not fit the client's classes
            raise unexpected(self._name, str(err)) from err
