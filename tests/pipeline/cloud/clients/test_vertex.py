"""Google's client against a fake of the REST API of Vertex AI, over HTTP."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from components.common.errors import OutcomeUnknownError, ServiceError
from pipeline.cloud.clients import submission, vertex
from pipeline.cloud.clients.connection import Connection
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.clients.submission import Polling
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import GOOGLE_TOKEN, make_pipeline
from tests.pipeline.cloud.clients.fake_vertex import PARENT, FakeVertex
from tests.played import Server, closed_url

NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', time_zone='Europe/Berlin', max_concurrency=2)
CONSOLE = 'https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines'
JOBS = f'POST {PARENT}/pipelineJobs'
SCHEDULES = f'POST {PARENT}/schedules'

pytestmark = pytest.mark.usefixtures('google_credentials')


def service_at(server: Server, **options: Any) -> VertexService:
    return VertexService('films', 'europe-west4', endpoint=server.url, **options)


@pytest.fixture
def service(vertex_server: Server, google_credentials: pathlib.Path) -> VertexService:
    return service_at(vertex_server)


class TestRun:
    def test_request_has_job_root_and_parameters_when_submitted(
        self,
        service: VertexService,
        vertex_server: Server,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        values = {'train-epochs': 5, 'data': 'gs://films/reviews'}
        run = service.submit(vertex_pipeline, values)
        [body] = vertex_server.sent(JOBS)
        assert body['pipelineSpec'] == vertex_pipeline.spec
        assert body['displayName'] == 'sentiment'
        assert body['runtimeConfig'] == {
            'gcsOutputDirectory': 'gs://films/root',
            'parameterValues': values,
        }
        [job_id] = fake_vertex.jobs
        assert job_id.startswith('sentiment-2')
        assert run.url == f'{CONSOLE}/runs/{job_id}?project=films'
        # There is no look at the bucket.
        assert [str(request) for request in vertex_server.requests] == [JOBS]

    def test_service_account_and_network_are_sent_when_given(
        self, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        options = {'service_account': 'a@films.invalid', 'network': 'projects/1/global/networks/n'}
        service_at(vertex_server, **options).submit(vertex_pipeline, {})
        [body] = vertex_server.sent(JOBS)
        assert (body['serviceAccount'], body['network']) == tuple(options.values())

    def test_job_id_is_valid_when_the_name_begins_with_a_digit(
        self, service: VertexService, fake_vertex: FakeVertex
    ) -> None:
        service.submit(make_pipeline('vertex', 'gs://films/root', name='2-classes'), {})
        [job_id] = fake_vertex.jobs
        assert job_id.startswith('run-2-classes-')

    @pytest.mark.parametrize(
        ('pushed', 'blessed', 'outcome'),
        [
            ({'pushed': 1}, None, 'pushed'),
            ({'pushed': 0}, None, 'not_blessed'),
            ({'custom:pushed': 0}, None, 'not_blessed'),
            (None, {'blessed': 1}, 'pushed'),
            (None, {'blessed': 0}, 'not_blessed'),
            ({'pushed': 0}, {'blessed': 0}, 'not_blessed'),
            ({'pushed': 0}, {'blessed': 1}, 'withdrawn'),
        ],
    )
    def test_outcome_is_that_of_the_artifacts_when_a_run_succeeded(
        self,
        pushed: dict[str, Any] | None,
        blessed: dict[str, Any] | None,
        outcome: str,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        outputs = {('Pusher', 'pushed_model'): pushed, ('Evaluator', 'blessing'): blessed}
        fake_vertex.outputs = {key: value for key, value in outputs.items() if value}
        fake_vertex.states = ('SUCCEEDED',)
        run = service.submit(vertex_pipeline, {})
        assert service.outcome(vertex_pipeline, run) == outcome

    def test_outcome_is_unknown_when_no_artifact_has_it(
        self,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.outputs = {('Pusher', 'pushed_model'): {'size': 3}}
        fake_vertex.states = ('SUCCEEDED',)
        run = service.submit(vertex_pipeline, {})
        with pytest.raises(OutcomeUnknownError, match='its result is unknown') as error:
            service.outcome(vertex_pipeline, run)
        assert error.value.hint == f'see {run.url}'

    def test_status_names_the_node_when_it_failed(
        self,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        fake_vertex.states = ('QUEUED', 'RUNNING', 'FAILED')
        run = service.submit(vertex_pipeline, {})
        assert [service.status(run).state for _ in range(2)] == ['pending', 'running']
        status = service.status(run)
        assert (status.state, status.message) == ('failed', 'The DAG failed')
        assert status.failed_tasks == ('Trainer',)


class TestErrors:
    @pytest.mark.parametrize(
        ('status', 'message', 'hint'),
        [
            (400, 'refused the request: 400 fake failure 400', 'the message of the service'),
            (401, 'refused the request: 401 fake failure 401', 'gcloud auth application-default'),
            (403, 'refused the request: 403 fake failure 403', 'lacks a permission'),
            (404, 'refused the request: 404 fake failure 404', 'check the address'),
            (429, 'refused the request: 429 fake failure 429', 'try again later'),
            (500, 'failed: 500 fake failure 500', 'try again later'),
        ],
    )
    def test_message_of_the_service_is_shown_when_it_refuses(
        self,
        status: int,
        message: str,
        hint: str,
        service: VertexService,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        vertex_server.broken = [status] * 5
        with pytest.raises(ServiceError, match=message) as error:
            service.submit(vertex_pipeline, {})
        assert hint in error.value.hint

    def test_service_is_unreachable_when_nothing_listens(
        self, vertex_pipeline: CompiledPipeline
    ) -> None:
        url = closed_url()
        service = VertexService('films', 'europe-west4', endpoint=url)
        with pytest.raises(ServiceError, match=f'at {url} cannot be reached: .*refused'):
            service.submit(vertex_pipeline, {})

    def test_service_is_unreachable_when_it_does_not_answer(
        self,
        service: VertexService,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(vertex, '_TIMEOUT_SECONDS', 0.2)
        vertex_server.delay_seconds = 1
        with pytest.raises(ServiceError, match='cannot be reached: .*timed out'):
            service.submit(vertex_pipeline, {})

    def test_answer_is_refused_when_it_is_a_login_page(
        self, service: VertexService, vertex_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        vertex_server.page = '<html>Please log in</html>'
        with pytest.raises(ServiceError, match='sent an unexpected answer'):
            service.submit(vertex_pipeline, {})

    def test_hint_is_to_log_in_when_there_are_no_credentials(
        self, vertex_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(tmp_path / 'missing.json'))
        with pytest.raises(ServiceError, match='no credentials for Google Cloud') as error:
            service_at(vertex_server)
        assert 'gcloud auth application-default login' in error.value.hint

    def test_hint_is_to_log_in_when_the_credentials_are_refused(
        self, service: VertexService, token_server: Server, vertex_pipeline: CompiledPipeline
    ) -> None:
        token_server.broken = [400] * 5
        with pytest.raises(ServiceError, match='no credentials for Google Cloud: .*400') as error:
            service.submit(vertex_pipeline, {})
        assert 'gcloud auth application-default login' in error.value.hint

    def test_credentials_are_never_printed(
        self,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        connection = Connection(
            target='vertex', host=vertex_server.url, project='films', region='europe-west4'
        )
        polling = Polling(interval_seconds=0.01, timeout_seconds=20)
        submission.submit_pipeline(vertex_pipeline, connection, (), polling)
        assert GOOGLE_TOKEN not in str([request.body for request in vertex_server.requests])
        assert GOOGLE_TOKEN not in ''.join(capfd.readouterr())


class TestSchedule:
    def test_schedule_is_created_in_its_time_zone(
        self,
        service: VertexService,
        vertex_server: Server,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        values = {'train-epochs': 5, 'data': 'gs://films/reviews'}
        info, existed = service.put_schedule(vertex_pipeline, values, NIGHTLY)
        assert (existed, info.url) == (False, f'{CONSOLE}/schedules/1?project=films')
        [body] = vertex_server.sent(SCHEDULES)
        assert body['cron'] == 'TZ=Europe/Berlin 0 3 * * *'
        assert body['displayName'] == 'sentiment'
        assert body['maxConcurrentRunCount'] == body['maxConcurrentActiveRunCount'] == '2'
        assert not body.get('allowQueueing')
        request = body['createPipelineJobRequest']
        assert request['parent'] == 'projects/films/locations/europe-west4'
        assert request['pipelineJob']['pipelineSpec'] == vertex_pipeline.spec
        assert request['pipelineJob']['runtimeConfig']['parameterValues'] == values

    def test_schedule_is_changed_with_its_pipeline_when_the_name_exists(
        self,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        service.put_schedule(vertex_pipeline, vertex_pipeline.parameter_values(()), NIGHTLY)
        fake_vertex.schedules['1'].update(allowQueueing=True, state='PAUSED')
        changed = Schedule(name='sentiment', cron='0 5 * * *')
        values = vertex_pipeline.parameter_values(['train-epochs=7'])
        info, existed = service.put_schedule(vertex_pipeline, values, changed)
        assert (existed, info.id, info.cron, info.active) == (True, '1', '0 5 * * *', True)
        [schedule] = fake_vertex.schedules.values()
        job = schedule['createPipelineJobRequest']['pipelineJob']
        assert job['runtimeConfig']['parameterValues']['train-epochs'] == 7
        assert schedule['maxConcurrentRunCount'] == '1'
        assert not schedule.get('allowQueueing')
        # It was paused, and is resumed.
        assert schedule['catchUp'] is False

    def test_duplicates_are_deleted_when_several_have_the_name(
        self,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, Schedule(name='weekly', cron='0 4 * * 0'))
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

    def test_schedule_is_new_when_the_old_one_is_completed(
        self,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, NIGHTLY)
        fake_vertex.schedules['1']['state'] = 'COMPLETED'
        info, _ = service.put_schedule(vertex_pipeline, values, NIGHTLY)
        assert list(fake_vertex.schedules) == [info.id] == ['2']

    @pytest.mark.parametrize(
        ('root', 'cron', 'message'),
        [
            ('minio://films/root', '0 3 * * *', 'gcsOutputDirectory must be a bucket'),
            ('gs://films/root', '0 3 *', 'refused the request: 400 invalid cron'),
        ],
    )
    def test_old_schedule_stays_when_the_new_one_is_refused(
        self,
        root: str,
        cron: str,
        message: str,
        service: VertexService,
        fake_vertex: FakeVertex,
        vertex_pipeline: CompiledPipeline,
    ) -> None:
        values = vertex_pipeline.parameter_values(())
        service.put_schedule(vertex_pipeline, values, NIGHTLY)
        before = dict(fake_vertex.schedules['1'])
        with pytest.raises(ServiceError, match=message):
            service.put_schedule(
                make_pipeline('vertex', root), values, dataclasses.replace(NIGHTLY, cron=cron)
            )
        assert fake_vertex.schedules == {'1': before}

    def test_all_pages_are_listed_and_one_is_deleted(
        self, service: VertexService, vertex_pipeline: CompiledPipeline
    ) -> None:
        for name in ('c', 'b', 'a'):
            service.put_schedule(vertex_pipeline, {}, Schedule(name=name, cron='0 3 * * *'))
        found = service.schedules()
        assert [(i.name, i.id, i.active) for i in found] == [
            ('a', '3', True),
            ('b', '2', True),
            ('c', '1', True),
        ]
        service.delete_schedule(found[0])
        assert [info.name for info in service.schedules()] == ['b', 'c']
