"""Vertex AI: Google's own client against a fake of the REST API, over HTTP."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import pytest

from components.common.errors import (
    ComponentError,
    ConfigError,
    MissingDependencyError,
    NotBlessedError,
    OutcomeUnknownError,
    ServiceError,
)
from pipeline.cloud.clients import submission, vertex
from pipeline.cloud.clients.connection import Connection
from pipeline.cloud.clients.protocol import Schedule
from pipeline.cloud.clients.submission import Waiting
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import GOOGLE_TOKEN, make_pipeline
from tests.pipeline.cloud.clients.fake_vertex import PARENT, FakeVertex
from tests.played import Server, closed_url

WAITING = Waiting(poll_seconds=0.01, timeout_seconds=20)
NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', time_zone='Europe/Berlin', max_concurrency=2)
JOBS = f'POST {PARENT}/pipelineJobs'
SCHEDULES = f'POST {PARENT}/schedules'

pytestmark = pytest.mark.usefixtures('google_credentials')


def connection_to(server: Server, **more: Any) -> Connection:
    return Connection(
        target='vertex', host=server.url, project='films', region='europe-west4', **more
    )


def service_at(server: Server) -> VertexService:
    return VertexService('films', 'europe-west4', endpoint=server.url)


def submit(
    server: Server, compiled: CompiledPipeline, *params: str, waiting: Waiting | None = None
) -> None:
    submission.submit_pipeline(compiled, connection_to(server), params, waiting)


class TestSubmit:
    def test_sends_the_job_with_root_and_parameters(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        submit(vertex_server, vertex_pipeline, 'train-epochs=5')
        [body] = vertex_server.sent(JOBS)
        assert body['pipelineSpec'] == vertex_pipeline.spec
        assert body['displayName'] == 'sentiment'
        assert body['runtimeConfig'] == {
            'gcsOutputDirectory': 'gs://films/root',
            'parameterValues': {'train-epochs': 5, 'data': 'gs://films/reviews'},
        }
        [job_id] = fake_vertex.jobs
        assert job_id.startswith('sentiment-2')
        console = 'https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines'
        assert capsys.readouterr().out == f'{console}/runs/{job_id}?project=films\n'

    def test_asks_for_nothing_but_the_run(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        submit(vertex_server, vertex_pipeline)
        assert [str(request) for request in vertex_server.requests] == [JOBS]

    def test_sends_service_account_and_network_when_given(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        connection = connection_to(
            vertex_server, service_account='a@films.invalid', network='projects/1/global/networks/n'
        )
        submission.submit_pipeline(vertex_pipeline, connection, (), None)
        [body] = vertex_server.sent(JOBS)
        assert body['serviceAccount'] == 'a@films.invalid'
        assert body['network'] == 'projects/1/global/networks/n'

    def test_takes_a_name_that_begins_with_a_digit(
        self, vertex_server: Server, fake_vertex: FakeVertex
    ) -> None:
        submit(vertex_server, make_pipeline('vertex', 'gs://films/root', name='2-classes'))
        [job_id] = fake_vertex.jobs
        assert job_id.startswith('run-2-classes-')

    def test_sends_nothing_when_a_parameter_is_wrong(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        with pytest.raises(ConfigError, match='train-epochs takes a whole number'):
            submit(vertex_server, vertex_pipeline, 'train-epochs=1.5')
        assert vertex_server.requests == []


class TestWait:
    def test_is_pushed_when_the_pusher_says_so(
        self,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        submit(vertex_server, vertex_pipeline, waiting=WAITING)
        told = [line.partition(' ')[2] for line in capsys.readouterr().err.splitlines()]
        assert told == ['pending', 'running', 'succeeded', 'blessed, and pushed']

    @pytest.mark.parametrize(
        'outputs',
        [
            {('Pusher', 'pushed_model'): {'pushed': 0}},
            {('Pusher', 'pushed_model'): {'custom:pushed': 0}},
            {('Evaluator', 'blessing'): {'blessed': 0}},
            {('Pusher', 'pushed_model'): {'pushed': 0}, ('Evaluator', 'blessing'): {'blessed': 0}},
        ],
    )
    def test_is_not_blessed_when_nothing_was_pushed(
        self,
        outputs: dict[tuple[str, str], dict[str, Any]],
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.outputs = outputs
        with pytest.raises(NotBlessedError, match='not blessed: the run pushed nothing'):
            submit(vertex_server, vertex_pipeline, waiting=WAITING)

    def test_believes_the_blessing_when_the_pusher_says_nothing(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fake_vertex.outputs = {('Evaluator', 'blessing'): {'blessed': 1}}
        submit(vertex_server, vertex_pipeline, waiting=WAITING)
        assert capsys.readouterr().err.endswith('blessed, and pushed\n')

    def test_is_no_failure_when_a_rollback_has_withdrawn_the_model(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fake_vertex.outputs = {
            ('Pusher', 'pushed_model'): {'pushed': 0},
            ('Evaluator', 'blessing'): {'blessed': 1},
        }
        submit(vertex_server, vertex_pipeline, waiting=WAITING)
        assert 'withdrawn by a rollback: not pushed again' in capsys.readouterr().err

    @pytest.mark.parametrize(('pushed', 'outcome'), [(1, 'pushed'), (0, 'not_blessed')])
    def test_asks_for_the_artifact_when_the_job_leaves_its_properties_out(
        self,
        pushed: int,
        outcome: str,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.outputs = {('Pusher', 'pushed_model'): {}}
        fake_vertex.artifacts = {'pushed_model': {'pushed': pushed}}
        fake_vertex.states = ('SUCCEEDED',)
        service = service_at(vertex_server)
        run = service.submit(vertex_pipeline, vertex_pipeline.parameter_values(()))
        assert service.verdict(vertex_pipeline, run) == outcome
        assert vertex_server.requests[-1].path.endswith('/artifacts/pushed_model')

    def test_is_unknown_when_no_output_says_it(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.outputs = {('Pusher', 'pushed_model'): {'size': 3}}
        with pytest.raises(OutcomeUnknownError, match='not whether it pushed'):
            submit(vertex_server, vertex_pipeline, waiting=WAITING)

    def test_names_the_node_when_one_failed(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.states = ('RUNNING', 'FAILED')
        with pytest.raises(ComponentError, match=r'^Trainer failed: The DAG failed$'):
            submit(vertex_server, vertex_pipeline, waiting=WAITING)

    def test_is_a_failure_when_the_run_was_cancelled(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.states = ('RUNNING', 'CANCELLING', 'CANCELLED')
        with pytest.raises(ComponentError, match='was cancelled'):
            submit(vertex_server, vertex_pipeline, waiting=WAITING)

    def test_is_unknown_when_the_run_takes_too_long(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.states = ('QUEUED',)
        waiting = Waiting(poll_seconds=0.05, timeout_seconds=0.2)
        with pytest.raises(OutcomeUnknownError, match=r'within 0\.2 s; it is pending'):
            submit(vertex_server, vertex_pipeline, waiting=waiting)

    def test_asks_again_for_the_outcome_when_the_service_fails_just_then(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        run = service.submit(vertex_pipeline, vertex_pipeline.parameter_values(()))
        fake_vertex.states = ('SUCCEEDED',)
        told: list[str] = []

        def say(line: str) -> None:
            told.append(line)
            if line == 'succeeded':
                vertex_server.broken = [503]

        verdict = submission.follow(
            service, vertex_pipeline, run, say=say, poll_seconds=0.01, timeout_seconds=20
        )
        assert verdict == 'pushed'
        assert [line.rpartition(' ')[2] for line in told] == ['succeeded', 'again']

    def test_gives_up_when_the_service_keeps_failing(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        service = service_at(vertex_server)
        run = service.submit(vertex_pipeline, vertex_pipeline.parameter_values(()))
        vertex_server.broken = [500] * 50
        told: list[str] = []
        with pytest.raises(ServiceError, match='failed: 500 fake failure 500'):
            submission.follow(
                service,
                vertex_pipeline,
                run,
                say=told.append,
                poll_seconds=0.01,
                timeout_seconds=20,
            )
        assert len(told) == 4


class TestRefusals:
    @pytest.mark.parametrize(
        ('status', 'message', 'hint'),
        [
            (400, 'refused: 400 fake failure 400', 'its message says why'),
            (401, 'refused: 401 fake failure 401', 'gcloud auth application-default login'),
            (403, 'refused: 403 fake failure 403', 'lacks a permission'),
            (404, 'refused: 404 fake failure 404', 'check the address'),
            (429, 'refused: 429 fake failure 429', 'try again later'),
            (500, 'failed: 500 fake failure 500', 'not your doing'),
        ],
    )
    def test_says_what_the_service_said_and_what_to_do(
        self,
        status: int,
        message: str,
        hint: str,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        vertex_server.broken = [status] * 5
        with pytest.raises(ServiceError, match=message) as error:
            submit(vertex_server, vertex_pipeline)
        assert hint in error.value.hint

    def test_says_so_when_the_project_is_unknown(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        connection = Connection(
            target='vertex', host=vertex_server.url, project='movies', region='europe-west4'
        )
        with pytest.raises(ServiceError, match='refused: 404 The project was not found'):
            submission.submit_pipeline(vertex_pipeline, connection, (), None)

    def test_says_so_when_nothing_listens(self, vertex_pipeline: CompiledPipeline) -> None:
        url = closed_url()
        connection = Connection(target='vertex', host=url, project='films', region='europe-west4')
        with pytest.raises(ServiceError, match=f'at {url} cannot be reached: .*refused') as error:
            submission.submit_pipeline(vertex_pipeline, connection, (), None)
        assert '\n' not in str(error.value)

    def test_says_so_when_there_is_no_answer(
        self,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(vertex, '_TIMEOUT_SECONDS', 0.2)
        vertex_server.delay_seconds = 1
        with pytest.raises(ServiceError, match='cannot be reached: .*timed out'):
            submit(vertex_server, vertex_pipeline)

    def test_says_so_when_a_login_page_answers(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        vertex_server.page = '<html>Please log in</html>'
        with pytest.raises(ServiceError, match='not of its kind'):
            submit(vertex_server, vertex_pipeline)

    def test_says_how_to_log_in_when_there_are_no_credentials(
        self, vertex_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(tmp_path / 'missing.json'))
        with pytest.raises(ServiceError, match='no credentials for Google Cloud') as error:
            service_at(vertex_server)
        assert 'gcloud auth application-default login' in error.value.hint

    def test_says_how_to_log_in_when_the_credentials_are_refused(
        self, vertex_server: Server, token_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        token_server.broken = [400] * 5
        with pytest.raises(ServiceError, match='no credentials for Google Cloud: .*400') as error:
            submit(vertex_server, vertex_pipeline)
        assert 'gcloud auth application-default login' in error.value.hint

    def test_says_what_to_install_when_the_client_is_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, 'google.cloud.aiplatform_v1', None)
        monkeypatch.delattr('google.cloud.aiplatform_v1', raising=False)
        with pytest.raises(MissingDependencyError, match='needs its client') as error:
            VertexService('films', 'europe-west4')
        assert (error.value.exit_code, 'make cloud' in error.value.hint) == (6, True)

    def test_shows_no_credentials(
        self,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        submit(vertex_server, vertex_pipeline, waiting=WAITING)
        assert GOOGLE_TOKEN not in str([request.body for request in vertex_server.requests])
        assert GOOGLE_TOKEN not in ''.join(capfd.readouterr())


class TestSchedule:
    def test_creates_one_in_its_time_zone(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        submission.schedule_pipeline(
            vertex_pipeline, connection_to(vertex_server), ('train-epochs=5',), NIGHTLY
        )
        [body] = vertex_server.sent(SCHEDULES)
        assert body['cron'] == 'TZ=Europe/Berlin 0 3 * * *'
        assert body['displayName'] == 'sentiment'
        assert body['maxConcurrentRunCount'] == body['maxConcurrentActiveRunCount'] == '2'
        assert not body.get('allowQueueing')
        request = body['createPipelineJobRequest']
        assert request['parent'] == 'projects/films/locations/europe-west4'
        assert request['pipelineJob']['pipelineSpec'] == vertex_pipeline.spec
        assert request['pipelineJob']['runtimeConfig']['parameterValues'] == {
            'train-epochs': 5,
            'data': 'gs://films/reviews',
        }
        console = 'https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines'
        out, err = capsys.readouterr()
        assert out == f'{console}/schedules/1?project=films\n'
        assert 'created the schedule sentiment: TZ=Europe/Berlin 0 3 * * *, Europe/Berlin' in err

    def test_changes_the_one_of_its_name_with_its_pipeline(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        service.put_schedule(vertex_pipeline, vertex_pipeline.parameter_values(()), NIGHTLY)
        fake_vertex.schedules['1']['allowQueueing'] = True
        changed = Schedule(name='sentiment', cron='0 5 * * *', time_zone=None, max_concurrency=1)
        values = vertex_pipeline.parameter_values(['train-epochs=7'])
        info, existed = service.put_schedule(vertex_pipeline, values, changed)
        assert (existed, info.id, info.cron, info.active) == (True, '1', '0 5 * * *', True)
        [schedule] = fake_vertex.schedules.values()
        job = schedule['createPipelineJobRequest']['pipelineJob']
        assert job['runtimeConfig']['parameterValues']['train-epochs'] == 7
        assert schedule['maxConcurrentRunCount'] == '1'
        assert not schedule.get('allowQueueing')

    def test_resumes_a_paused_one_without_catching_up(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, NIGHTLY)
        fake_vertex.schedules['1']['state'] = 'PAUSED'
        info, _ = service.put_schedule(vertex_pipeline, values, NIGHTLY)
        assert info.active
        assert fake_vertex.schedules['1']['catchUp'] is False

    def test_leaves_one_of_its_name_where_there_were_several(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        values = vertex_pipeline.parameter_values(())
        other = Schedule(name='weekly', cron='0 4 * * 0', time_zone=None, max_concurrency=1)
        service.put_schedule(vertex_pipeline, values, other)
        for copy in ('7', '8', '9'):
            fake_vertex.schedules[copy] = {
                **fake_vertex.schedules['1'],
                'name': f'{PARENT.removeprefix("/v1/")}/schedules/{copy}',
                'displayName': 'sentiment',
                'state': 'COMPLETED' if copy == '7' else 'ACTIVE',
            }
        info, existed = service.put_schedule(vertex_pipeline, values, NIGHTLY)
        assert (existed, info.id) == (True, '8')
        assert [(i.name, i.id) for i in service.schedules()] == [
            ('sentiment', '8'),
            ('weekly', '1'),
        ]

    def test_makes_a_new_one_when_the_old_one_is_completed(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, NIGHTLY)
        fake_vertex.schedules['1']['state'] = 'COMPLETED'
        info, _ = service.put_schedule(vertex_pipeline, values, NIGHTLY)
        assert list(fake_vertex.schedules) == [info.id] == ['2']

    def test_keeps_the_old_one_when_the_new_one_is_refused(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service = service_at(vertex_server)
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, NIGHTLY)
        before = dict(fake_vertex.schedules['1'])
        elsewhere = make_pipeline('vertex', 'minio://films/root')
        with pytest.raises(ServiceError, match='gcsOutputDirectory must be a bucket'):
            service.put_schedule(elsewhere, values, NIGHTLY)
        assert fake_vertex.schedules == {'1': before}

    def test_lists_all_pages_as_json(
        self,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        service = service_at(vertex_server)
        for name in ('c', 'b', 'a'):
            wanted = Schedule(name=name, cron='0 3 * * *', time_zone=None, max_concurrency=1)
            service.put_schedule(vertex_pipeline, vertex_pipeline.parameter_values(()), wanted)
        submission.list_schedules(connection_to(vertex_server), as_json=True)
        listed = json.loads(capsys.readouterr().out)
        assert [(i['name'], i['id'], i['active']) for i in listed] == [
            ('a', '3', True),
            ('b', '2', True),
            ('c', '1', True),
        ]

    def test_deletes_by_name(
        self,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        connection = connection_to(vertex_server)
        with pytest.raises(ConfigError, match="no schedule is called 'sentiment'") as error:
            submission.delete_schedule(connection, 'sentiment')
        assert error.value.hint == 'there is none at all'
        submission.schedule_pipeline(vertex_pipeline, connection, (), NIGHTLY)
        submission.delete_schedule(connection, 'sentiment')
        assert fake_vertex.schedules == {}
