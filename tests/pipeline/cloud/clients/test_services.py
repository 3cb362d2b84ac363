"""What the clients of both services do, against fakes of the services over HTTP."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest

from components.common.errors import ServiceError
from pipeline.cloud.clients import kfp_client
from pipeline.cloud.clients import vertex as vertex_module
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule, Service
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.targets import TARGETS
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.played import Server, closed_url

NIGHTLY = Schedule(name='sentiment', cron='0 3 * * *', max_concurrency=2)


@dataclasses.dataclass
class Connected:
    """A client of a service, with the server behind it."""

    service: Service
    server: Server
    pipeline: CompiledPipeline


@pytest.fixture(params=TARGETS)
def one(request: pytest.FixtureRequest) -> Connected:
    """Each service."""
    names = (request.param, f'{request.param}_server', f'{request.param}_pipeline')
    return Connected(*(request.getfixturevalue(name) for name in names))


@pytest.mark.parametrize(
    ('status', 'message', 'hint'),
    [
        (400, 'refused the request: 400 fake failure 400', 'the message of the service'),
        (401, 'refused the request: 401 fake failure 401', 'missing, wrong or expired'),
        (429, 'refused the request: 429 fake failure 429', 'try again later'),
        (500, 'failed: 500 fake failure 500', 'try again later'),
    ],
)
def test_message_of_the_service_is_shown_when_it_refuses(
    one: Connected, status: int, message: str, hint: str
) -> None:
    one.server.broken = [status] * 5
    with pytest.raises(ServiceError, match=message) as error:
        one.service.submit(one.pipeline, VALUES)
    assert hint in error.value.hint
    assert (error.value.exit_code, error.value.may_pass) == (7, status in (429, 500))


def test_run_is_found_by_its_id_when_the_service_knows_it(one: Connected) -> None:
    run = one.service.submit(one.pipeline, VALUES)
    assert one.service.find_run(run.id) == run
    with pytest.raises(ServiceError, match='refused the request: 404 unknown'):
        one.service.find_run('unknown')


def test_state_is_cancelled_when_a_cancelled_run_has_ended(one: Connected) -> None:
    run = one.service.submit(one.pipeline, VALUES)
    one.service.cancel(run)
    states = [one.service.status(run).state for _ in range(2)]
    assert states in (['canceling', 'canceled'], ['cancelling', 'cancelled'])


def test_name_of_the_run_is_sent_when_given(one: Connected) -> None:
    one.service.submit(one.pipeline, VALUES, 'friday')
    body = one.server.requests[-1].body
    assert 'friday' in (body.get('display_name'), body.get('displayName'))


def test_service_is_unreachable_when_nothing_listens(
    google_credentials: pathlib.Path, kubeflow_pipeline: CompiledPipeline
) -> None:
    url = closed_url()
    for service in (
        KubeflowService(url),
        VertexService('films', 'europe-west4', host=url),
    ):
        with pytest.raises(ServiceError, match=f'at {url} cannot be reached: .*refused') as error:
            service.schedules()
        assert 'port-forward' in error.value.hint


def test_service_is_unreachable_when_it_does_not_answer(
    one: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kfp_client, '_READ_SECONDS', 0.2)
    monkeypatch.setattr(vertex_module, '_TIMEOUT_SECONDS', 0.2)
    one.server.delay_seconds = 1
    with pytest.raises(ServiceError, match='cannot be reached: .*timed out'):
        one.service.submit(one.pipeline, VALUES)


def test_answer_is_refused_when_it_is_a_login_page(one: Connected) -> None:
    one.server.page = '<html>Please log in</html>'
    with pytest.raises(ServiceError, match='sent an unexpected answer') as error:
        one.service.submit(one.pipeline, VALUES)
    assert 'login page' in error.value.hint
    with pytest.raises(ServiceError, match='sent an unexpected answer'):
        one.service.schedules()


def test_old_schedule_stays_when_the_cron_expression_is_wrong(one: Connected) -> None:
    one.service.put_schedule(one.pipeline, VALUES, NIGHTLY)
    before = one.service.schedules()
    wrong = dataclasses.replace(NIGHTLY, cron='0 3 *')
    with pytest.raises(ServiceError, match='refused the request: 400 .*cron'):
        one.service.put_schedule(one.pipeline, VALUES, wrong)
    assert one.service.schedules() == before


def test_all_pages_are_listed_when_schedules_fill_several(one: Connected) -> None:
    for name in ('c', 'b', 'a'):
        one.service.put_schedule(one.pipeline, VALUES, dataclasses.replace(NIGHTLY, name=name))
    found = one.service.schedules()
    assert [(i.name, i.max_concurrency, i.active) for i in found] == [
        ('a', 2, True),
        ('b', 2, True),
        ('c', 2, True),
    ]
    one.service.delete_schedule(found[1])
    assert [info.name for info in one.service.schedules()] == ['a', 'c']


def test_schedule_is_inactive_until_resumed_when_paused(one: Connected) -> None:
    created, _ = one.service.put_schedule(one.pipeline, VALUES, NIGHTLY)
    for active in (False, True):
        one.service.set_schedule_active(created, active=active)
        [found] = one.service.schedules()
        assert found == dataclasses.replace(created, active=active)


def test_schedule_has_the_parameters_of_its_runs_when_listed(one: Connected) -> None:
    values = {'train-epochs': 5, 'data': 'gs://films/reviews'}
    one.service.put_schedule(one.pipeline, values, NIGHTLY)
    [found] = one.service.schedules()
    assert found.parameters == values
    # Not a float.
    assert str(found.parameters['train-epochs']) == '5'


def test_schedule_stays_paused_when_it_is_replaced(one: Connected) -> None:
    created, _ = one.service.put_schedule(one.pipeline, VALUES, NIGHTLY)
    one.service.set_schedule_active(created, active=False)
    one.server.requests.clear()
    changed = dataclasses.replace(NIGHTLY, max_concurrency=3)
    replaced, existed = one.service.put_schedule(one.pipeline, VALUES, changed)
    assert (existed, replaced.active, replaced.max_concurrency) == (True, False, 3)
    assert one.service.schedules() == [replaced]
    # It was never active in between.
    assert not [line for line in map(str, one.server.requests) if re.search(':(en|res)', line)]
