"""Google's client against a fake of the REST API of Vertex AI, over HTTP."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from components.common.errors import ConfigError, OutcomeUnknownError, ServiceError
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES, make_pipeline
from tests.pipeline.cloud.clients.fake_vertex import PARENT, FakeVertex
from tests.played import Server

NIGHTLY = Schedule(name='sentiment', cron='TZ=Europe/Berlin 0 3 * * *', max_concurrency=2)
CONSOLE = 'https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines'
JOBS = f'POST {PARENT}/pipelineJobs'


def test_request_has_job_root_and_parameters_when_submitted(
    vertex: VertexService,
    vertex_server: Server,
    fake_vertex: FakeVertex,
    vertex_pipeline: CompiledPipeline,
) -> None:
    run = vertex.submit(vertex_pipeline, VALUES)
    [body] = vertex_server.sent(JOBS)
    assert body['pipelineSpec'] == vertex_pipeline.spec
    assert body['displayName'] == 'sentiment'
    assert body['runtimeConfig'] == {
        'gcsOutputDirectory': 'gs://films/root',
        'parameterValues': VALUES,
    }
    [job_id] = fake_vertex.jobs
    assert job_id.startswith('sentiment-2')
    assert run.url == f'{CONSOLE}/runs/{job_id}?project=films'
    # There is no look at the bucket.
    assert [str(request) for request in vertex_server.requests] == [JOBS]


@pytest.mark.parametrize(
    ('options', 'sent'),
    [
        ({'service_account': 'a@films.invalid'}, {'serviceAccount': 'a@films.invalid'}),
        ({'network': 'projects/1/global/networks/n'}, {'network': 'projects/1/global/networks/n'}),
        ({'reserved_ip_range': ('one', 'two')}, {'reservedIpRanges': ['one', 'two']}),
        (
            {'label': ('team=films', 'empty=', 'stage=a=b')},
            {'labels': {'of-tfx': '1', 'team': 'films', 'empty': '', 'stage': 'a=b'}},
        ),
        ({'label': ('of-tfx=2',)}, {'labels': {'of-tfx': '2'}}),
        ({'encryption_key': 'projects/k'}, {'encryptionSpec': {'kmsKeyName': 'projects/k'}}),
        # Google's client sends enums as numbers (types/pipeline_failure_policy.py).
        ({'failure_policy': 'fast'}, {'runtimeConfig': {'failurePolicy': 2}}),
        ({'failure_policy': 'slow'}, {'runtimeConfig': {'failurePolicy': 1}}),
    ],
)
def test_option_is_a_field_of_the_job_and_changes_no_other_when_given(
    options: dict[str, Any],
    sent: dict[str, Any],
    vertex_server: Server,
    google_credentials: pathlib.Path,
) -> None:
    pipeline = dataclasses.replace(
        make_pipeline('vertex', 'gs://films/root'), labels={'of-tfx': '1'}
    )
    for given in ({}, options):
        service = VertexService('films', 'europe-west4', host=vertex_server.url, **given)
        service.submit(pipeline, VALUES)
        service.put_schedule(pipeline, VALUES, NIGHTLY)
        # The second time, the schedule is changed.
        service.put_schedule(pipeline, VALUES, NIGHTLY)
        [schedule] = service.schedules()
        service.delete_schedule(schedule)
    plain, changed = vertex_server.sent(JOBS)
    sent.get('runtimeConfig', {}).update(plain['runtimeConfig'])
    assert changed == {**plain, **sent}
    requests = [
        request.body['createPipelineJobRequest']['pipelineJob']
        for request in vertex_server.requests
        if request.method in ('POST', 'PATCH') and '/schedules' in request.path
    ]
    assert requests == [plain, plain, changed, changed]


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (('team',), "expected --label NAME=VALUE, got 'team'"),
        (('',), "expected --label NAME=VALUE, got ''"),
        (('=films',), "expected --label NAME=VALUE, got '=films'"),
        (('team=a', 'team=b'), '--label team: expected once, got it twice'),
    ],
)
def test_label_is_refused_when_it_is_malformed_or_repeated(
    labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        VertexService('films', 'europe-west4', label=labels)
    assert error.value.hint


def test_job_id_is_valid_when_the_name_begins_with_a_digit(
    vertex: VertexService, fake_vertex: FakeVertex
) -> None:
    vertex.submit(make_pipeline('vertex', 'gs://films/root', name='2-classes'), {})
    [job_id] = fake_vertex.jobs
    assert job_id.startswith('run-2-classes-')


@pytest.mark.parametrize(
    ('properties', 'outcome'),
    [
        ({'pushed': 1}, 'pushed'),
        ({'pushed': 0}, 'not_blessed'),
        ({'custom:pushed': 0}, 'not_blessed'),
        ({'custom:pushed': 0, 'custom:withdrawn_version': '7'}, 'withdrawn'),
    ],
)
def test_outcome_is_that_of_the_pusher_when_a_run_succeeded(
    properties: dict[str, Any],
    outcome: str,
    vertex: VertexService,
    fake_vertex: FakeVertex,
    vertex_pipeline: CompiledPipeline,
) -> None:
    fake_vertex.states, fake_vertex.properties = ('SUCCEEDED',), properties
    run = vertex.submit(vertex_pipeline, {})
    assert vertex.status(run).state == 'succeeded'
    assert vertex.outcome(run) == outcome


def test_outcome_is_unknown_when_the_pusher_has_no_properties(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    fake_vertex.states, fake_vertex.properties = ('SUCCEEDED',), {'size': 3}
    run = vertex.submit(vertex_pipeline, {})
    with pytest.raises(OutcomeUnknownError, match='its result is unknown') as error:
        vertex.outcome(run)
    assert error.value.hint == f'see {run.url}'


def test_status_names_the_node_when_it_failed(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    fake_vertex.states = ('QUEUED', 'RUNNING', 'FAILED')
    run = vertex.submit(vertex_pipeline, {})
    assert [vertex.status(run).state for _ in range(2)] == ['queued', 'running']
    status = vertex.status(run)
    assert (status.state, status.message) == ('failed', 'The DAG failed')
    assert status.failed_tasks == ('Trainer',)


def test_hint_is_to_log_in_when_there_are_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(tmp_path / 'missing.json'))
    with pytest.raises(ServiceError, match='no credentials for Google Cloud') as error:
        VertexService('films', 'europe-west4')
    assert 'gcloud auth application-default login' in error.value.hint


def test_hint_is_to_log_in_when_the_credentials_are_refused(
    vertex: VertexService, token_server: Server, vertex_pipeline: CompiledPipeline
) -> None:
    token_server.broken = [400] * 5
    with pytest.raises(ServiceError, match='no credentials for Google Cloud: .*400') as error:
        vertex.submit(vertex_pipeline, {})
    assert 'gcloud auth application-default login' in error.value.hint


def test_request_has_cron_expression_and_job_when_scheduled(
    vertex: VertexService, vertex_server: Server, vertex_pipeline: CompiledPipeline
) -> None:
    info, existed = vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    assert (existed, info.url) == (False, f'{CONSOLE}/schedules/1?project=films')
    [body] = vertex_server.sent(f'POST {PARENT}/schedules')
    assert body['cron'] == 'TZ=Europe/Berlin 0 3 * * *'
    assert body['displayName'] == 'sentiment'
    assert body['maxConcurrentRunCount'] == body['maxConcurrentActiveRunCount'] == '2'
    assert not body.get('allowQueueing')
    request = body['createPipelineJobRequest']
    assert request['parent'] == 'projects/films/locations/europe-west4'
    assert request['pipelineJob']['pipelineSpec'] == vertex_pipeline.spec
    assert request['pipelineJob']['runtimeConfig']['parameterValues'] == VALUES


def test_schedule_is_changed_with_its_pipeline_when_the_name_exists(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    fake_vertex.schedules['1'].update(allowQueueing=True)
    changed = Schedule(name='sentiment', cron='0 5 * * *')
    values = vertex_pipeline.parameter_values(['train-epochs=7'])
    info, existed = vertex.put_schedule(vertex_pipeline, values, changed)
    assert (existed, info.id, info.cron, info.active) == (True, '1', '0 5 * * *', True)
    [schedule] = fake_vertex.schedules.values()
    job = schedule['createPipelineJobRequest']['pipelineJob']
    assert job['runtimeConfig']['parameterValues']['train-epochs'] == 7
    assert schedule['maxConcurrentRunCount'] == '1'
    assert not schedule.get('allowQueueing')


def test_times_of_runs_are_told_when_the_schedule_has_them(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    info, _ = vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    assert (info.next_run, info.last_run) == (None, None)
    fake_vertex.schedules['1'].update(
        nextRunTime='2026-12-01T02:00:00Z',
        lastScheduledRunResponse={
            'scheduledRunTime': '2026-11-30T02:00:00.123456Z',
            'runResponse': 'OK',
        },
    )
    [info] = vertex.schedules()
    assert (info.next_run, info.last_run) == (
        '2026-12-01T02:00:00+00:00',
        '2026-11-30T02:00:00+00:00',
    )


def test_missed_runs_are_not_started_when_resumed(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    info, _ = vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    fake_vertex.schedules['1'].update(state='PAUSED', catchUp=True)
    vertex.set_schedule_active(info, active=True)
    assert fake_vertex.schedules['1']['catchUp'] is False


def test_the_active_one_is_kept_when_duplicates_are_paused(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    fake_vertex.schedules['2'] = {
        **fake_vertex.schedules['1'],
        'name': f'{PARENT.removeprefix("/v1/")}/schedules/2',
    }
    fake_vertex.schedules['1']['state'] = 'PAUSED'
    info, _ = vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    assert (info.id, info.active, list(fake_vertex.schedules)) == ('2', True, ['2'])


def test_duplicates_are_deleted_when_several_have_the_name(
    vertex: VertexService, fake_vertex: FakeVertex, vertex_pipeline: CompiledPipeline
) -> None:
    vertex.put_schedule(vertex_pipeline, VALUES, Schedule(name='weekly', cron='0 4 * * 0'))
    for copy in ('8', '9'):
        fake_vertex.schedules[copy] = {
            **fake_vertex.schedules['1'],
            'name': f'{PARENT.removeprefix("/v1/")}/schedules/{copy}',
            'displayName': 'sentiment',
        }
    info, existed = vertex.put_schedule(vertex_pipeline, VALUES, NIGHTLY)
    assert (existed, info.id) == (True, '8')
    assert [(i.name, i.id) for i in vertex.schedules()] == [('sentiment', '8'), ('weekly', '1')]
