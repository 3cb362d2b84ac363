"""kfp's client against a fake of the API of Kubeflow Pipelines, over HTTP."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from components.common.errors import OutcomeUnknownError, ServiceError
from pipeline.cloud.clients import kubeflow, submission
from pipeline.cloud.clients.connection import Connection
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.clients.submission import Polling
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import make_pipeline
from tests.pipeline.cloud.clients.fake_kubeflow import API, FakeKubeflow
from tests.played import Server, closed_url

NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', max_concurrency=2)
TOKEN = 'kfp-token-of-nobody'


@pytest.fixture
def service(kubeflow_server: Server) -> KubeflowService:
    return KubeflowService(f'{kubeflow_server.url}/')


def writes(server: Server) -> list[str]:
    return [
        str(r).replace(API, '')
        for r in server.requests
        if r.method != 'GET' and 'experiments' not in r.path
    ]


class TestRun:
    def test_request_has_spec_root_and_parameters_when_submitted(
        self,
        service: KubeflowService,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        values = {'train-epochs': 5, 'data': 'gs://films/reviews'}
        run = service.submit(kubeflow_pipeline, values)
        assert run.url == f'{kubeflow_server.url}/#/runs/details/run-1'
        service.submit(kubeflow_pipeline, values)
        body, _ = kubeflow_server.sent(f'POST {API}/runs')
        assert body['pipeline_spec'] == kubeflow_pipeline.spec
        assert body['runtime_config'] == {
            'parameters': values,
            'pipeline_root': kubeflow_pipeline.pipeline_root,
        }
        assert body['display_name'].startswith('sentiment 2')
        # All runs of a pipeline share an experiment.
        assert [e['display_name'] for e in fake_kubeflow.experiments.values()] == ['sentiment']

    def test_platform_is_sent_beside_the_spec_when_steps_mount_volumes(
        self,
        service: KubeflowService,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        mount = {'constant': 'reviews', 'mountPath': '/volume'}
        executors = {'ExampleGen_executor': {'pvcMount': [mount]}}
        platform = {'platforms': {'kubernetes': {'deploymentSpec': {'executors': executors}}}}
        mounting = dataclasses.replace(kubeflow_pipeline, platform=platform)
        values = mounting.parameter_values(())
        service.submit(mounting, values)
        service.put_schedule(mounting, values, NIGHTLY)
        for resource in ('runs', 'recurringruns'):
            [body] = [b for b in kubeflow_server.sent(f'POST {API}/{resource}') if b]
            assert body['pipeline_spec'] == {
                'pipeline_spec': kubeflow_pipeline.spec,
                'platform_spec': platform,
            }

    def test_namespace_and_service_account_are_sent_when_given(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
    ) -> None:
        service = KubeflowService(kubeflow_server.url, namespace='team', service_account='runner')
        service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        [experiment] = kubeflow_server.sent(f'POST {API}/experiments')
        [run] = kubeflow_server.sent(f'POST {API}/runs')
        assert (experiment['namespace'], run['service_account']) == ('team', 'runner')

    @pytest.mark.parametrize('salt', ['', 'b1946ac9'])
    @pytest.mark.parametrize(
        ('blessing', 'outcome'), [('BLESSED', 'pushed'), ('NOT_BLESSED', 'not_blessed')]
    )
    def test_outcome_is_that_of_the_blessing_when_the_root_can_be_read(
        self,
        blessing: str,
        outcome: str,
        salt: str,
        service: KubeflowService,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states, fake_kubeflow.blessing = ('SUCCEEDED',), blessing
        fake_kubeflow.salt = salt
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        assert service.status(run).state == 'succeeded'
        assert service.outcome(kubeflow_pipeline, run) == outcome

    def test_outcome_is_unknown_when_only_another_run_has_a_blessing(
        self,
        service: KubeflowService,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states = ('SUCCEEDED',)
        values = kubeflow_pipeline.parameter_values(())
        service.status(service.submit(kubeflow_pipeline, values))
        fake_kubeflow.blessing = ''
        run = service.submit(kubeflow_pipeline, values)
        service.status(run)
        message = 'its result is unknown: there is no blessing below .*run-2'
        with pytest.raises(OutcomeUnknownError, match=message) as error:
            service.outcome(kubeflow_pipeline, run)
        assert error.value.hint == f'see {run.url}'

    def test_outcome_is_unknown_when_the_root_cannot_be_read(
        self, service: KubeflowService
    ) -> None:
        compiled = make_pipeline('kubeflow', 'minio://films/root')
        run = service.submit(compiled, compiled.parameter_values(()))
        with pytest.raises(OutcomeUnknownError, match='minio://films/root/.* cannot be read'):
            service.outcome(compiled, run)

    @pytest.mark.parametrize('task', ['Trainer', 'Trainer-driver'])
    def test_status_names_the_node_when_its_task_failed(
        self,
        task: str,
        service: KubeflowService,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states, fake_kubeflow.failed_task = ('RUNNING', 'FAILED'), task
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        assert service.status(run).state == 'running'
        status = service.status(run)
        assert (status.state, status.message) == ('failed', 'pod exited with 1')
        assert status.failed_tasks == ('root', 'Trainer')

    def test_token_is_read_again_when_its_file_changes(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline, tmp_path: pathlib.Path
    ) -> None:
        file = tmp_path / 'token'
        file.write_text('first')
        kubeflow_server.token = 'first'
        service = KubeflowService(kubeflow_server.url, read_token=file.read_text)
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        file.write_text('second')
        kubeflow_server.token = 'second'
        assert service.status(run).state == 'pending'


class TestErrors:
    @pytest.mark.parametrize(
        ('status', 'message', 'hint'),
        [
            (400, 'refused the request: 400 fake failure 400', 'the message of the service'),
            (403, 'refused the request: 403 fake failure 403', 'lacks a permission'),
            (404, 'refused the request: 404 fake failure 404', 'check the address'),
            (500, 'failed: 500 fake failure 500', 'try again later'),
        ],
    )
    def test_message_of_the_service_is_shown_when_it_refuses(
        self,
        status: int,
        message: str,
        hint: str,
        service: KubeflowService,
        kubeflow_server: Server,
    ) -> None:
        kubeflow_server.broken = [status] * 5
        with pytest.raises(ServiceError, match=message) as error:
            service.schedules()
        assert hint in error.value.hint
        assert error.value.exit_code == 7

    @pytest.mark.parametrize('source', ['file', 'environment'])
    @pytest.mark.parametrize('accepted', [True, False])
    def test_token_is_sent_in_the_header_only_and_never_printed(
        self,
        accepted: bool,
        source: str,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: pathlib.Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        kubeflow_server.token = TOKEN if accepted else 'another'
        file = tmp_path / 'token'
        file.write_text(f'{TOKEN}\n')
        monkeypatch.setenv('KFP_TOKEN', 'another' if source == 'file' else TOKEN)
        connection = Connection(
            target='kubeflow',
            host=kubeflow_server.url,
            token_file=str(file) if source == 'file' else None,
        )
        polling = Polling(interval_seconds=0.01, timeout_seconds=20)
        if accepted:
            submission.submit_pipeline(kubeflow_pipeline, connection, (), polling)
        else:
            message = r'refused the request: 401 bad credentials: Bearer \*\*\*$'
            with pytest.raises(ServiceError, match=message) as error:
                submission.submit_pipeline(kubeflow_pipeline, connection, (), polling)
            assert '--token-file' in error.value.hint
        assert kubeflow_server.requests[0].authorization == f'Bearer {TOKEN}'
        bodies = [str((r.path, r.query, r.body)) for r in kubeflow_server.requests]
        assert TOKEN not in ''.join([*bodies, *capfd.readouterr()])

    def test_service_is_unreachable_when_nothing_listens(self) -> None:
        url = closed_url()
        with pytest.raises(ServiceError, match=f'at {url} cannot be reached: .*refused') as error:
            KubeflowService(url).schedules()
        assert 'port-forward' in error.value.hint

    def test_service_is_unreachable_when_it_does_not_answer(
        self,
        service: KubeflowService,
        kubeflow_server: Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(kubeflow, '_READ_SECONDS', 0.2)
        kubeflow_server.delay_seconds = 1
        with pytest.raises(ServiceError, match='cannot be reached: .*timed out'):
            service.schedules()

    def test_answer_is_refused_when_it_is_a_login_page(
        self,
        service: KubeflowService,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        kubeflow_server.page = '<html>Please log in</html>'
        with pytest.raises(ServiceError, match='expected JSON, got text/html') as error:
            service.submit(kubeflow_pipeline, {})
        assert 'login page' in error.value.hint
        with pytest.raises(ServiceError, match='expected JSON, got text/html'):
            service.schedules()


class TestSchedule:
    @pytest.mark.parametrize(
        ('cron', 'sent'),
        [
            ('0 3 * * *', '0 0 3 * * *'),
            ('30 0 3 * * mon-fri', '30 0 3 * * mon-fri'),
        ],
    )
    def test_recurring_run_is_created_without_catching_up(
        self,
        cron: str,
        sent: str,
        service: KubeflowService,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        values = {'train-epochs': 5, 'data': 'gs://films/reviews'}
        schedule = dataclasses.replace(NIGHTLY, cron=cron)
        info, existed = service.put_schedule(kubeflow_pipeline, values, schedule)
        assert (info.cron, info.active, existed) == (sent, True, False)
        assert info.url == f'{kubeflow_server.url}/#/recurringrun/details/recurring-1'
        [body] = [b for b in kubeflow_server.sent(f'POST {API}/recurringruns') if b]
        assert body['trigger'] == {'cron_schedule': {'cron': sent}}
        assert (body['max_concurrency'], body['no_catchup']) == (2, True)
        assert body['pipeline_spec'] == kubeflow_pipeline.spec
        assert body['runtime_config'] == {
            'parameters': values,
            'pipeline_root': kubeflow_pipeline.pipeline_root,
        }

    def test_refusal_of_the_service_is_shown_when_the_cron_expression_is_wrong(
        self,
        service: KubeflowService,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        values = kubeflow_pipeline.parameter_values(())
        service.put_schedule(kubeflow_pipeline, values, NIGHTLY)
        wrong = dataclasses.replace(NIGHTLY, cron='0 3 *')
        with pytest.raises(ServiceError, match='refused the request: 400 .*six fields'):
            service.put_schedule(kubeflow_pipeline, values, wrong)
        # The old one stays.
        assert [r['status'] for r in fake_kubeflow.recurring.values()] == ['ENABLED']

    def test_all_of_the_same_name_are_replaced_and_no_other(
        self,
        service: KubeflowService,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        values = kubeflow_pipeline.parameter_values(())
        weekly = Schedule(name='weekly', cron='0 4 * * 0')
        service.put_schedule(kubeflow_pipeline, values, weekly)
        for copy in ('a', 'b', 'c'):
            fake_kubeflow.recurring[copy] = {
                **fake_kubeflow.recurring['recurring-1'],
                'recurring_run_id': copy,
                'display_name': 'sentiment',
            }
        changed = Schedule(name='sentiment', cron='0 5 * * *')
        info, existed = service.put_schedule(kubeflow_pipeline, values, changed)
        assert (existed, info.cron, info.active) == (True, '0 0 5 * * *', True)
        assert [i.name for i in service.schedules()] == ['sentiment', 'weekly']
        assert all(i.active for i in service.schedules())

    def test_two_are_never_active_when_one_is_replaced(
        self,
        service: KubeflowService,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        for _ in range(2):
            service.put_schedule(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()), NIGHTLY)
        assert writes(kubeflow_server)[-3:] == [
            'POST /recurringruns',
            'DELETE /recurringruns/recurring-1',
            'POST /recurringruns/recurring-2:enable',
        ]
        bodies = [b for b in kubeflow_server.sent(f'POST {API}/recurringruns') if b]
        assert [body['mode'] for body in bodies] == ['DISABLE', 'DISABLE']

    def test_all_pages_are_listed_and_one_is_deleted(
        self,
        service: KubeflowService,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        for name in ('e', 'd', 'c', 'b', 'a'):
            wanted = Schedule(name=name, cron='0 3 * * *')
            service.put_schedule(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()), wanted)
        found = service.schedules()
        assert [info.name for info in found] == ['a', 'b', 'c', 'd', 'e']
        service.delete_schedule(found[1])
        assert [info.name for info in service.schedules()] == ['a', 'c', 'd', 'e']
