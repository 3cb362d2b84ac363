"""Kubeflow Pipelines: kfp's own client against a fake of the API, over HTTP."""

from __future__ import annotations

import dataclasses
import pathlib
import sys

import pytest

from components.common.errors import (
    ComponentError,
    ConfigError,
    MissingDependencyError,
    NotBlessedError,
    OutcomeUnknownError,
    ServiceError,
)
from pipeline.cloud.clients import kfp_client, submission
from pipeline.cloud.clients.connection import Connection
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.protocol import Schedule
from pipeline.cloud.clients.submission import Waiting
from pipeline.cloud.compiled import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import make_pipeline
from tests.pipeline.cloud.clients.fake_kubeflow import API, STORE, FakeKubeflow
from tests.played import Server, closed_url

WAITING = Waiting(poll_seconds=0.01, timeout_seconds=20)
NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', time_zone=None, max_concurrency=2)
TOKEN = 'kfp-token-of-nobody'


def submit(
    server: Server, compiled: CompiledPipeline, *params: str, waiting: Waiting | None = None
) -> None:
    connection = Connection(target='kubeflow', host=server.url)
    submission.submit_pipeline(compiled, connection, params, waiting)


class TestSubmit:
    def test_sends_the_bare_spec_with_root_and_parameters(
        self,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        submit(kubeflow_server, kubeflow_pipeline, 'train-epochs=5')
        [body] = kubeflow_server.sent(f'POST {API}/runs')
        assert body['pipeline_spec'] == kubeflow_pipeline.spec
        assert body['runtime_config'] == {
            'parameters': {'train-epochs': 5, 'data': 'gs://films/reviews'},
            'pipeline_root': kubeflow_pipeline.pipeline_root,
        }
        assert body['display_name'].startswith('sentiment 2')
        assert capsys.readouterr() == (f'{kubeflow_server.url}/#/runs/details/run-1\n', '')

    def test_sends_the_platform_beside_the_spec_when_steps_mount_volumes(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
    ) -> None:
        mount = {'constant': 'reviews', 'mountPath': '/volume'}
        executors = {'ExampleGen_executor': {'pvcMount': [mount]}}
        platform = {'platforms': {'kubernetes': {'deploymentSpec': {'executors': executors}}}}
        mounting = dataclasses.replace(kubeflow_pipeline, platform=platform)
        submit(kubeflow_server, mounting)
        connection = Connection(target='kubeflow', host=kubeflow_server.url)
        submission.schedule_pipeline(mounting, connection, (), NIGHTLY)
        for what in ('runs', 'recurringruns'):
            [body] = [b for b in kubeflow_server.sent(f'POST {API}/{what}') if b]
            assert body['pipeline_spec'] == {
                'pipeline_spec': kubeflow_pipeline.spec,
                'platform_spec': platform,
            }

    def test_runs_of_a_pipeline_share_an_experiment(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        for _ in range(2):
            submit(kubeflow_server, kubeflow_pipeline)
        assert [e['display_name'] for e in fake_kubeflow.experiments.values()] == ['sentiment']
        assert {run['experiment_id'] for run in fake_kubeflow.runs.values()} == {'experiment-1'}

    def test_sends_namespace_and_service_account_when_given(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
    ) -> None:
        connection = Connection(
            target='kubeflow',
            host=f'{kubeflow_server.url}/',
            namespace='team',
            service_account='runner',
        )
        submission.submit_pipeline(kubeflow_pipeline, connection, (), None)
        [experiment] = kubeflow_server.sent(f'POST {API}/experiments')
        [run] = kubeflow_server.sent(f'POST {API}/runs')
        assert (experiment['namespace'], run['service_account']) == ('team', 'runner')

    @pytest.mark.parametrize(
        ('assignment', 'message'),
        [
            ('train-epochs=many', "train-epochs takes a whole number, got 'many'"),
            ('epochs=3', "no run-time parameter 'epochs'"),
            ('train-epochs', "expected --param NAME=VALUE, got 'train-epochs'"),
        ],
    )
    def test_sends_nothing_when_a_parameter_is_wrong(
        self,
        assignment: str,
        message: str,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            submit(kubeflow_server, kubeflow_pipeline, assignment)
        assert kubeflow_server.requests == []


class TestWait:
    @pytest.mark.parametrize('salt', ['', 'b1946ac9'])
    def test_is_pushed_when_the_run_blessed_its_model(
        self,
        salt: str,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fake_kubeflow.salt = salt
        submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)
        out, err = capsys.readouterr()
        assert out == f'{kubeflow_server.url}/#/runs/details/run-1\n'
        told = [line.partition(' ')[2] for line in err.splitlines()]
        assert told == ['pending', 'running', 'succeeded', 'blessed, and pushed']

    def test_is_not_blessed_when_the_gate_held_the_model_back(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.blessing = 'NOT_BLESSED'
        with pytest.raises(NotBlessedError, match='not blessed: the run pushed nothing'):
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)

    def test_is_unknown_when_the_blessing_cannot_be_found(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.blessing = ''
        with pytest.raises(
            OutcomeUnknownError, match=r'not whether it pushed: .*404, and there is no blessing'
        ):
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)

    def test_does_not_take_the_blessing_of_another_run(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)
        fake_kubeflow.blessing = ''
        with pytest.raises(OutcomeUnknownError, match='run-2'):
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)

    @pytest.mark.parametrize(
        ('artifacts', 'verdict'),
        [
            ([{'span': 3}, {'blessed': 1}, {'pushed': 1}], 'pushed'),
            ([{'blessed': 0}, {'pushed': 0}], 'not_blessed'),
            ([{'blessed': 0}], 'not_blessed'),
            ([{'custom:pushed': 0}], 'not_blessed'),
            ([{'blessed': 1}, {'pushed': 0}], 'withdrawn'),
        ],
    )
    def test_believes_the_metadata_store_when_it_can_be_asked(
        self,
        artifacts: list[dict[str, float]],
        verdict: str,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        tmp_path: pathlib.Path,
    ) -> None:
        fake_kubeflow.states, fake_kubeflow.blessing = ('SUCCEEDED',), ''
        fake_kubeflow.metadata = {'run-0': [{'pushed': 1}], 'run-1': artifacts}
        kubeflow_server.token = TOKEN
        compiled = make_pipeline('kubeflow', 'minio://films/root')
        service = KubeflowService(f'{kubeflow_server.url}/', read_token=lambda: TOKEN)
        run = service.submit(compiled, compiled.parameter_values(()))
        assert service.verdict(compiled, run) == verdict
        assert [r.path for r in kubeflow_server.requests[-2:]] == [
            f'{STORE}GetContextByTypeAndName',
            f'{STORE}GetArtifactsByContext',
        ]

    @pytest.mark.parametrize(
        ('metadata', 'reason'),
        [
            ({'run-9': [{'pushed': 1}]}, 'the metadata store does not know the run run-1'),
            ({'run-1': [{'span': 3}]}, 'no output of the run run-1 says whether it pushed'),
            ({'run-1': [{'pushed': 1}, {'pushed': 0}]}, 'no output of the run run-1 says'),
            (None, 'the metadata store answered 404'),
        ],
    )
    def test_is_unknown_when_neither_store_nor_files_tell(
        self,
        metadata: dict[str, list[dict[str, float]]] | None,
        reason: str,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
    ) -> None:
        fake_kubeflow.states, fake_kubeflow.blessing = ('SUCCEEDED',), ''
        fake_kubeflow.metadata = metadata
        compiled = make_pipeline('kubeflow', 'minio://films/root')
        service = KubeflowService(kubeflow_server.url)
        run = service.submit(compiled, compiled.parameter_values(()))
        with pytest.raises(OutcomeUnknownError, match=f'{reason}.*, and nothing can be read below'):
            service.verdict(compiled, run)

    def test_is_unknown_when_a_login_page_answers_for_the_store(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        kubeflow_server.page = '<html>Please log in</html>'
        with pytest.raises(OutcomeUnknownError, match='no metadata store answers at this address'):
            service.verdict(kubeflow_pipeline, run)

    def test_names_the_node_when_one_failed(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states = ('RUNNING', 'FAILED')
        with pytest.raises(ComponentError, match=r'^Trainer failed: pod exited with 1$') as error:
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)
        assert error.value.hint == f'see the logs at {kubeflow_server.url}/#/runs/details/run-1'

    def test_names_the_node_when_its_driver_failed(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states, fake_kubeflow.failed_task = ('FAILED',), 'Evaluator-driver'
        with pytest.raises(ComponentError, match=r'^Evaluator failed'):
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)

    def test_is_a_failure_when_the_run_was_cancelled(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states = ('RUNNING', 'CANCELING', 'CANCELED')
        with pytest.raises(ComponentError, match='was cancelled'):
            submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)

    def test_is_unknown_when_the_run_takes_too_long(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        fake_kubeflow.states = ('RUNNING',)
        waiting = Waiting(poll_seconds=0.05, timeout_seconds=0.2)
        with pytest.raises(OutcomeUnknownError, match='not ended within 0.2 s; it is running') as e:
            submit(kubeflow_server, kubeflow_pipeline, waiting=waiting)
        assert e.value.hint.endswith('/#/runs/details/run-1')

    def test_goes_on_when_the_service_fails_for_a_while(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        kubeflow_server.broken = [503, 502]
        told: list[str] = []
        verdict = submission.follow(
            service,
            kubeflow_pipeline,
            run,
            say=told.append,
            poll_seconds=0.01,
            timeout_seconds=20,
        )
        assert verdict == 'pushed'
        assert [line.endswith('asking again') for line in told] == [True, True, False, False, False]

    def test_renews_the_token_when_its_file_changes(
        self,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        tmp_path: pathlib.Path,
    ) -> None:
        file = tmp_path / 'token'
        file.write_text('first\n')
        kubeflow_server.token = 'first'
        service = KubeflowService(kubeflow_server.url, read_token=lambda: file.read_text().strip())
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        file.write_text('second\n')
        kubeflow_server.token = 'second'
        assert service.status(run).state == 'pending'


class TestRefusals:
    @pytest.mark.parametrize(
        ('status', 'message', 'hint'),
        [
            (400, 'refused: 400 fake failure 400', 'its message says why'),
            (403, 'refused: 403 fake failure 403', 'lacks a permission'),
            (404, 'refused: 404 fake failure 404', 'check the address'),
            (500, 'failed: 500 fake failure 500', 'not your doing'),
        ],
    )
    def test_says_what_the_service_said_and_what_to_do(
        self,
        status: int,
        message: str,
        hint: str,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        kubeflow_server.broken = [status] * 5
        with pytest.raises(ServiceError, match=message) as error:
            submit(kubeflow_server, kubeflow_pipeline)
        assert hint in error.value.hint
        assert error.value.exit_code == 7

    @pytest.mark.parametrize('by', ['file', 'environment'])
    def test_tells_no_token_when_it_is_refused(
        self,
        by: str,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: pathlib.Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        kubeflow_server.token = 'another'
        file = tmp_path / 'token'
        file.write_text(f'{TOKEN}\n')
        if by == 'environment':
            monkeypatch.setenv('KFP_TOKEN', TOKEN)
        connection = Connection(
            target='kubeflow',
            host=kubeflow_server.url,
            token_file=str(file) if by == 'file' else None,
        )
        with pytest.raises(ServiceError, match='refused: 401 bad credentials: Bearer …') as error:
            submission.submit_pipeline(kubeflow_pipeline, connection, (), None)
        assert '--token-file' in error.value.hint
        assert kubeflow_server.requests[0].authorization == f'Bearer {TOKEN}'
        assert TOKEN not in ''.join(capfd.readouterr())

    def test_puts_no_token_into_what_it_sends(
        self,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        kubeflow_server.token = TOKEN
        monkeypatch.setenv('KFP_TOKEN', TOKEN)
        submit(kubeflow_server, kubeflow_pipeline, waiting=WAITING)
        bodies = [str((r.path, r.query, r.body)) for r in kubeflow_server.requests]
        assert TOKEN not in ''.join(bodies)
        assert TOKEN not in ''.join(capfd.readouterr())

    def test_says_so_when_nothing_listens(self, kubeflow_pipeline: CompiledPipeline) -> None:
        url = closed_url()
        with pytest.raises(ServiceError, match=f'at {url} cannot be reached: .*refused') as error:
            submission.submit_pipeline(
                kubeflow_pipeline, Connection(target='kubeflow', host=url), (), None
            )
        assert 'port-forward' in error.value.hint
        assert '\n' not in str(error.value)

    def test_says_so_when_there_is_no_answer(
        self,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(kfp_client, '_READ_SECONDS', 0.2)
        kubeflow_server.delay_seconds = 1
        with pytest.raises(ServiceError, match='cannot be reached: .*timed out'):
            submit(kubeflow_server, kubeflow_pipeline)

    def test_says_so_when_a_login_page_answers(
        self, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
    ) -> None:
        kubeflow_server.page = '<html>Please log in</html>'
        with pytest.raises(ServiceError, match='expected JSON, got text/html') as error:
            submit(kubeflow_server, kubeflow_pipeline)
        assert 'login page' in error.value.hint

    def test_lists_no_empty_list_when_a_login_page_answers(self, kubeflow_server: Server) -> None:
        kubeflow_server.page = '<html>Please log in</html>'
        connection = Connection(target='kubeflow', host=kubeflow_server.url)
        with pytest.raises(ServiceError, match='expected JSON, got text/html'):
            submission.list_schedules(connection, as_json=False)

    def test_stops_waiting_when_the_run_is_gone(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        run = service.submit(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()))
        fake_kubeflow.runs.clear()
        with pytest.raises(ServiceError, match='refused: 404 run-1 not found'):
            submission.follow(
                service,
                kubeflow_pipeline,
                run,
                say=print,
                poll_seconds=0.01,
                timeout_seconds=20,
            )

    def test_says_what_to_install_when_kfp_is_missing(
        self, kubeflow_pipeline: CompiledPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, 'kfp', None)
        with pytest.raises(MissingDependencyError, match='needs its client') as error:
            KubeflowService('http://127.0.0.1:9')
        assert (error.value.exit_code, 'make cloud' in error.value.hint) == (6, True)


class TestSchedule:
    def test_creates_one_without_catching_up(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        connection = Connection(target='kubeflow', host=kubeflow_server.url)
        submission.schedule_pipeline(kubeflow_pipeline, connection, ('train-epochs=5',), NIGHTLY)
        [body] = kubeflow_server.sent(f'POST {API}/recurringruns')
        assert body['trigger'] == {'cron_schedule': {'cron': '0 0 3 * * *'}}
        assert (body['max_concurrency'], body['no_catchup']) == (2, True)
        assert body['pipeline_spec'] == kubeflow_pipeline.spec
        assert body['runtime_config'] == {
            'parameters': {'train-epochs': 5, 'data': 'gs://films/reviews'},
            'pipeline_root': kubeflow_pipeline.pipeline_root,
        }
        assert [r['status'] for r in fake_kubeflow.recurring.values()] == ['ENABLED']
        out, err = capsys.readouterr()
        assert out == f'{kubeflow_server.url}/#/recurringrun/details/recurring-1\n'
        assert 'created the schedule sentiment: 0 0 3 * * *, in the time zone of the cluster' in err

    def test_replaces_all_of_its_name_and_no_other(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        values = kubeflow_pipeline.parameter_values(())
        weekly = Schedule(name='weekly', cron='0 4 * * 0', time_zone=None, max_concurrency=1)
        service.put_schedule(kubeflow_pipeline, values, weekly)
        for copy in ('a', 'b', 'c'):
            fake_kubeflow.recurring[copy] = {
                **fake_kubeflow.recurring['recurring-1'],
                'recurring_run_id': copy,
                'display_name': 'sentiment',
            }
        changed = Schedule(name='sentiment', cron='0 5 * * *', time_zone=None, max_concurrency=1)
        info, existed = service.put_schedule(kubeflow_pipeline, values, changed)
        assert (existed, info.cron, info.active) == (True, '0 0 5 * * *', True)
        assert [i.name for i in service.schedules()] == ['sentiment', 'weekly']
        assert all(i.active for i in service.schedules())

    def test_never_has_two_that_start_runs(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        values = kubeflow_pipeline.parameter_values(())
        for _ in range(2):
            service.put_schedule(kubeflow_pipeline, values, NIGHTLY)
        writes = [str(r) for r in kubeflow_server.requests if r.method != 'GET']
        assert [line.removeprefix(f'POST {API}/recurringruns') for line in writes[-3:]] == [
            '',
            f'DELETE {API}/recurringruns/recurring-1',
            '/recurring-2:enable',
        ]
        assert [b['mode'] for b in kubeflow_server.sent(f'POST {API}/recurringruns')] == [
            'DISABLE',
            'DISABLE',
        ]

    def test_keeps_the_old_one_when_the_new_one_is_refused(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        values = kubeflow_pipeline.parameter_values(())
        service.put_schedule(kubeflow_pipeline, values, NIGHTLY)
        with pytest.raises(ServiceError, match='expected parameters'):
            service.put_schedule(kubeflow_pipeline, {}, NIGHTLY)
        assert [r['status'] for r in fake_kubeflow.recurring.values()] == ['ENABLED']

    def test_lists_all_pages(
        self,
        kubeflow_server: Server,
        kubeflow_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        service = KubeflowService(kubeflow_server.url)
        for name in ('e', 'd', 'c', 'b', 'a'):
            wanted = Schedule(name=name, cron='0 3 * * *', time_zone=None, max_concurrency=1)
            service.put_schedule(kubeflow_pipeline, kubeflow_pipeline.parameter_values(()), wanted)
        connection = Connection(target='kubeflow', host=kubeflow_server.url)
        submission.list_schedules(connection, as_json=False)
        lines = [line.split('\t') for line in capsys.readouterr().out.splitlines()]
        assert [line[:3] for line in lines] == [
            [name, '0 0 3 * * *', 'active'] for name in ('a', 'b', 'c', 'd', 'e')
        ]

    def test_deletes_by_name(
        self,
        kubeflow_server: Server,
        fake_kubeflow: FakeKubeflow,
        kubeflow_pipeline: CompiledPipeline,
    ) -> None:
        connection = Connection(target='kubeflow', host=kubeflow_server.url)
        submission.schedule_pipeline(kubeflow_pipeline, connection, (), NIGHTLY)
        with pytest.raises(ConfigError, match="no schedule is called 'nightly'") as error:
            submission.delete_schedule(connection, 'nightly')
        assert error.value.hint == 'there are sentiment'
        submission.delete_schedule(connection, 'sentiment')
        assert fake_kubeflow.recurring == {}

    def test_takes_no_time_zone_of_its_own(self) -> None:
        berlin = Schedule(name='n', cron='0 3 * * *', time_zone='Europe/Berlin', max_concurrency=1)
        with pytest.raises(ConfigError, match='one time zone for all schedules') as error:
            submission.check_schedule(berlin, 'kubeflow')
        assert 'CRON_SCHEDULE_TIMEZONE' in error.value.hint
        assert submission.check_schedule(berlin, 'vertex') == berlin
