"""What the API says to a specification, and what `submit` and `runs cancel` make of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from components.common.errors import ServiceError
from pipeline.cloud.clients.connection import connect
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.kubeflow_spec import RESOLVER
from tests.kubeflow.cluster import API, Cluster, request
from tests.kubeflow.project import Project, run_id_of
from tests.pipeline.cloud import golden

pytestmark = [pytest.mark.kubeflow, pytest.mark.usefixtures('cluster')]

# The settings whose effect on the specification is checked.
SETTINGS: dict[str, dict[str, Any]] = {
    'bucket': {},
    'no root': {'pipeline_root': None},
    'volumes': {'volumes': {'/mnt/reviews': 'reviews', '/mnt/models': 'models'}},
    'resources': {
        'resources': {
            'Trainer': {
                'cpu': 4,
                'memory_gb': 16,
                'accelerator': 'nvidia.com/gpu',
                'accelerator_count': 2,
            }
        }
    },
}


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
def test_api_accepts_the_specification(
    settings: dict[str, Any], project: Project, cluster: Cluster
) -> None:
    chosen = [f'cloud.{name}={json.dumps(value)}' for name, value in settings.items()]
    options = [word for one in chosen for word in ('--set', one)]
    with cluster.paused():
        finished = project.command('submit', *options)
    assert finished.code == 0, finished.err
    found = request(f'/apis/v2beta1/runs/{run_id_of(finished)}')
    assert found['state'] == 'PENDING'


def test_error_blames_the_specification_when_argo_refuses_it() -> None:
    """The name that the specification of version 0.1 had."""
    compiled = compile_pipeline(golden.config(), 'kubeflow')
    tasks = compiled.spec['root']['dag']['tasks']
    tasks['ExampleGen-driver'] = tasks.pop(RESOLVER)
    tasks['ExampleGen-driver']['taskInfo']['name'] = 'ExampleGen-driver'
    example_gen = tasks['ExampleGen']
    example_gen['dependentTasks'] = ['ExampleGen-driver']
    resolved = example_gen['inputs']['parameters']['resolved_input']
    resolved['taskOutputParameter']['producerTask'] = 'ExampleGen-driver'
    service = connect('kubeflow', {'host': API}, print)
    with pytest.raises(ServiceError, match='duplicated nodeName ExampleGen-driver') as caught:
        service.submit(compiled, compiled.parameter_values(()))
    assert 'refused the request' in str(caught.value)
    assert not caught.value.may_pass
    assert caught.value.hint.startswith('change the settings')


def test_run_ends_when_it_is_cancelled(project: Project, cluster: Cluster) -> None:
    run_id = run_id_of(project.command('submit'))
    while request(f'/apis/v2beta1/runs/{run_id}')['state'] != 'RUNNING':
        time.sleep(0.2)
    cancelled = project.service_command('runs', 'cancel', run_id)
    assert cancelled.code == 0, cancelled.err
    run = cluster.wait_for(run_id)
    assert run.phase == 'Failed'
    assert 'Pusher' not in run.tasks
    followed = project.service_command('runs', 'follow', run_id, '--poll', '1')
    assert followed.code == 5
    assert 'the run was cancelled' in followed.err
