"""kfp's client against a fake of the API of Kubeflow Pipelines, over HTTP."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from typing import Any

import pytest

from components.common.errors import OutcomeUnknownError, ServiceError
from pipeline.cloud.clients.connection import connect
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES, make_pipeline
from tests.pipeline.cloud.clients.fake_kubeflow import API, FakeKubeflow
from tests.played import Refused, Request, Server

NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', max_concurrency=2)


def test_request_has_spec_root_and_parameters_when_submitted(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    assert run.url == f'{kubeflow_server.url}/#/runs/details/run-1'
    kubeflow.submit(kubeflow_pipeline, VALUES)
    body, _ = kubeflow_server.sent(f'POST {API}/runs')
    assert body['runtime_config'] == {
        'parameters': VALUES,
        'pipeline_root': kubeflow_pipeline.pipeline_root,
    }
    assert body['display_name'].startswith('sentiment 2')
    # All runs of a pipeline share an experiment.
    assert [e['display_name'] for e in fake_kubeflow.experiments.values()] == ['sentiment']


def test_platform_is_sent_with_the_spec_when_steps_mount_volumes(
    kubeflow: KubeflowService, fake_kubeflow: FakeKubeflow, kubeflow_pipeline: CompiledPipeline
) -> None:
    mount = {'constant': 'reviews', 'mountPath': '/volume'}
    executors = {'ExampleGen_executor': {'pvcMount': [mount]}}
    platform = {'platforms': {'kubernetes': {'deploymentSpec': {'executors': executors}}}}
    mounting = dataclasses.replace(kubeflow_pipeline, platform=platform)
    kubeflow.submit(mounting, VALUES)
    [version] = fake_kubeflow.versions.values()
    assert version['pipeline_spec'] == {
        'pipeline_spec': kubeflow_pipeline.spec,
        'platform_spec': platform,
    }


def test_version_is_registered_once_when_runs_and_schedules_have_the_same_specification(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    kubeflow.submit(kubeflow_pipeline, VALUES)
    kubeflow.submit(kubeflow_pipeline, {**VALUES, 'train-epochs': 7})
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    [version] = fake_kubeflow.versions.values()
    assert version['pipeline_spec'] == kubeflow_pipeline.spec
    assert (
        version['display_name']
        == hashlib.sha256(kubeflow_pipeline.text().encode()).hexdigest()[:12]
    )
    changed = dataclasses.replace(
        kubeflow_pipeline, spec={**kubeflow_pipeline.spec, 'defaultPipelineRoot': 'gs://films'}
    )
    kubeflow.submit(changed, VALUES)
    assert [p['display_name'] for p in fake_kubeflow.pipelines.values()] == ['sentiment']
    assert len(kubeflow_server.sent(f'POST {API}/pipelines')) == 1
    assert len(kubeflow_server.sent(f'POST {API}/pipelines/upload_version')) == 2
    bodies = (*fake_kubeflow.runs.values(), *fake_kubeflow.recurring.values())
    assert [body['pipeline_version_reference'] for body in bodies] == [
        {'pipeline_id': 'pipeline-1', 'pipeline_version_id': f'version-{number}'}
        for number in (1, 1, 2, 1)
    ]


def test_registration_of_another_client_is_used_when_both_register_at_the_same_time(
    kubeflow: KubeflowService,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kubeflow.submit(kubeflow_pipeline, VALUES)
    find = fake_kubeflow._get_pipelines
    # The pipeline and its version are created between the first search and the request.
    early = {'names/sentiment', 'pipeline-1/versions'}

    def get_pipelines(request: Request, item: str, action: str) -> Any:
        if item in early:
            early.remove(item)
            if item.startswith('names'):
                raise Refused(404, 'not found')
            return {}
        return find(request, item, action)

    monkeypatch.setattr(fake_kubeflow, '_get_pipelines', get_pipelines)
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    assert not early
    reference = {'pipeline_id': 'pipeline-1', 'pipeline_version_id': 'version-1'}
    assert fake_kubeflow.runs[run.id]['pipeline_version_reference'] == reference


def test_specification_is_sent_with_the_run_when_the_user_may_not_register_it(
    kubeflow: KubeflowService,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_kubeflow.may_register = False
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    assert fake_kubeflow.runs[run.id]['pipeline_spec'] == kubeflow_pipeline.spec
    message = 'the pipeline is not registered: 403 Failed to create a pipeline due to authorization'
    assert message in capsys.readouterr().err


def test_namespace_and_service_account_are_sent_when_given(
    kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
) -> None:
    service = KubeflowService(kubeflow_server.url, namespace='team', service_account='runner')
    service.submit(kubeflow_pipeline, VALUES)
    [experiment] = kubeflow_server.sent(f'POST {API}/experiments')
    [pipeline] = kubeflow_server.sent(f'POST {API}/pipelines')
    [run] = kubeflow_server.sent(f'POST {API}/runs')
    assert (experiment['namespace'], run['service_account']) == ('team', 'runner')
    assert pipeline['namespace'] == 'team'


def test_runs_are_in_the_experiment_when_it_is_named(
    kubeflow_server: Server, fake_kubeflow: FakeKubeflow, kubeflow_pipeline: CompiledPipeline
) -> None:
    service = KubeflowService(kubeflow_server.url, experiment='friday')
    service.submit(kubeflow_pipeline, VALUES)
    service.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    [experiment] = fake_kubeflow.experiments.values()
    assert experiment['display_name'] == 'friday'


def test_specification_is_at_fault_when_the_service_cannot_make_a_workflow_of_it(
    kubeflow: KubeflowService, kubeflow_pipeline: CompiledPipeline
) -> None:
    tasks = kubeflow_pipeline.spec['root']['dag']['tasks']
    tasks['Trainer-driver'] = tasks['Trainer']
    with pytest.raises(ServiceError, match='refused the request: 500 .*duplicated') as error:
        kubeflow.submit(kubeflow_pipeline, VALUES)
    assert error.value.hint == 'change the settings that the message names; a retry does not help'
    assert not error.value.may_pass


@pytest.mark.parametrize(
    ('properties', 'outcome'),
    [
        ({'pushed': 1}, 'pushed'),
        ({'pushed': 0}, 'not_blessed'),
        ({'pushed': 0, 'withdrawn_version': '7'}, 'withdrawn'),
    ],
)
@pytest.mark.parametrize('version', [2, 3])
def test_outcome_is_that_of_the_pusher_when_it_can_be_read(
    version: int,
    properties: dict[str, Any],
    outcome: str,
    kubeflow: KubeflowService,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    fake_kubeflow.states, fake_kubeflow.properties = ('SUCCEEDED',), properties
    fake_kubeflow.version = version
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    assert kubeflow.status(run).state == 'succeeded'
    assert kubeflow.outcome(run) == outcome


def test_outcome_is_unknown_when_only_another_run_has_an_output(
    kubeflow: KubeflowService, fake_kubeflow: FakeKubeflow, kubeflow_pipeline: CompiledPipeline
) -> None:
    fake_kubeflow.states = ('SUCCEEDED',)
    kubeflow.status(kubeflow.submit(kubeflow_pipeline, VALUES))
    fake_kubeflow.properties = None
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    kubeflow.status(run)
    message = 'its result is unknown: there is no output of the Pusher of run run-2 below '
    with pytest.raises(OutcomeUnknownError, match=message) as error:
        kubeflow.outcome(run)
    assert error.value.hint == f'see {run.url}'


def test_outcome_is_that_of_the_run_when_only_the_service_can_read_the_root(
    kubeflow: KubeflowService, fake_kubeflow: FakeKubeflow
) -> None:
    fake_kubeflow.states, fake_kubeflow.version = ('SUCCEEDED',), 3
    compiled = make_pipeline('kubeflow', 'minio://films/root')
    run = kubeflow.submit(compiled, VALUES)
    assert kubeflow.outcome(run) == 'pushed'


def test_no_root_is_sent_when_the_default_of_the_cluster_applies(
    kubeflow: KubeflowService, kubeflow_server: Server
) -> None:
    compiled = make_pipeline('kubeflow', '')
    run = kubeflow.submit(compiled, VALUES)
    [body] = kubeflow_server.sent(f'POST {API}/runs')
    assert 'pipeline_root' not in body['runtime_config']
    with pytest.raises(OutcomeUnknownError, match='below the default root of the cluster'):
        kubeflow.outcome(run)


def test_outcome_is_unknown_when_the_root_cannot_be_read(kubeflow: KubeflowService) -> None:
    compiled = make_pipeline('kubeflow', 'minio://films/root')
    run = kubeflow.submit(compiled, VALUES)
    with pytest.raises(OutcomeUnknownError, match='minio://films/root cannot be read'):
        kubeflow.outcome(run)


@pytest.mark.parametrize(
    ('version', 'task', 'failed'),
    [
        (2, 'Trainer', ('Trainer',)),
        (2, 'Trainer-driver', ('Trainer',)),
        (2, 'ExampleGenResolver', ('ExampleGenResolver',)),
        (2, 'root-driver', ()),
        (3, 'Trainer', ('Trainer',)),
    ],
)
def test_status_names_the_node_when_its_task_failed(
    version: int,
    task: str,
    failed: tuple[str, ...],
    kubeflow: KubeflowService,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    fake_kubeflow.states, fake_kubeflow.failed_task = ('RUNNING', 'FAILED'), task
    fake_kubeflow.version = version
    run = kubeflow.submit(kubeflow_pipeline, VALUES)
    assert kubeflow.status(run).state == 'running'
    status = kubeflow.status(run)
    assert (status.state, status.message) == ('failed', 'pod exited with 1')
    assert status.failed_tasks == failed


def test_token_is_read_again_when_its_file_changes(
    kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / 'token'
    file.write_text('first')
    service = KubeflowService(kubeflow_server.url, token_file=str(file))
    for token in ('first', 'second'):
        file.write_text(token)
        kubeflow_server.token = token
        run = service.submit(kubeflow_pipeline, VALUES)
    assert service.status(run).state == 'pending'


def test_token_is_masked_when_the_service_quotes_it(
    kubeflow_server: Server, tmp_path: pathlib.Path
) -> None:
    kubeflow_server.token = 'another'
    (tmp_path / 'token').write_text('kfp-token-of-nobody')
    options = {'host': kubeflow_server.url, 'token_file': str(tmp_path / 'token')}
    message = r'refused the request: 401 bad credentials: Bearer \*\*\*$'
    with pytest.raises(ServiceError, match=message) as error:
        connect('kubeflow', options, print).schedules()
    assert '--token-file' in error.value.hint
    assert kubeflow_server.requests[0].authorization == 'Bearer kfp-token-of-nobody'


@pytest.mark.parametrize(
    ('cron', 'sent'),
    [('0 3 * * *', '0 0 3 * * *'), ('30 0 3 * * mon-fri', '30 0 3 * * mon-fri')],
)
def test_recurring_run_does_not_catch_up_when_created(
    cron: str,
    sent: str,
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    schedule = dataclasses.replace(NIGHTLY, cron=cron)
    info, existed = kubeflow.put_schedule(kubeflow_pipeline, VALUES, schedule)
    assert (info.cron, info.active, existed) == (sent, True, False)
    assert info.url == f'{kubeflow_server.url}/#/recurringrun/details/recurring-1'
    [body] = [b for b in kubeflow_server.sent(f'POST {API}/recurringruns') if b]
    assert body['trigger'] == {'cron_schedule': {'cron': sent}}
    assert (body['max_concurrency'], body['no_catchup']) == (2, True)
    assert body['runtime_config'] == {
        'parameters': VALUES,
        'pipeline_root': kubeflow_pipeline.pipeline_root,
    }


def test_all_of_the_same_name_are_replaced_and_no_other_when_scheduled_again(
    kubeflow: KubeflowService, fake_kubeflow: FakeKubeflow, kubeflow_pipeline: CompiledPipeline
) -> None:
    weekly = Schedule(name='weekly', cron='0 4 * * 0')
    kubeflow.put_schedule(kubeflow_pipeline, VALUES, weekly)
    for copy in ('a', 'b', 'c'):
        fake_kubeflow.recurring[copy] = {
            **fake_kubeflow.recurring['recurring-1'],
            'recurring_run_id': copy,
            'display_name': 'sentiment',
        }
    changed = Schedule(name='sentiment', cron='0 5 * * *')
    info, existed = kubeflow.put_schedule(kubeflow_pipeline, VALUES, changed)
    assert (existed, info.cron, info.active) == (True, '0 0 5 * * *', True)
    assert [i.name for i in kubeflow.schedules()] == ['sentiment', 'weekly']
    assert all(i.active for i in kubeflow.schedules())


def test_two_are_never_active_when_one_is_replaced(
    kubeflow: KubeflowService, kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
) -> None:
    for _ in range(2):
        kubeflow.put_schedule(kubeflow_pipeline, VALUES, NIGHTLY)
    writes = [
        str(r).replace(API, '')
        for r in kubeflow_server.requests
        if r.method != 'GET' and 'recurringruns' in r.path
    ]
    assert writes[-3:] == [
        'POST /recurringruns',
        'DELETE /recurringruns/recurring-1',
        'POST /recurringruns/recurring-2:enable',
    ]
    bodies = [b for b in kubeflow_server.sent(f'POST {API}/recurringruns') if b]
    assert [body['mode'] for body in bodies] == ['DISABLE', 'DISABLE']
