"""The commands `submit` and `schedule`, with the compiled pipeline."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.conftest import REPO, Finished, call_command
from tests.pipeline.cloud import golden
from tests.pipeline.cloud.clients.conftest import GOOGLE_TOKEN
from tests.pipeline.cloud.clients.fake_kubeflow import API, FakeKubeflow
from tests.pipeline.cloud.clients.fake_vertex import PARENT, FakeVertex
from tests.played import Server

TOKEN = 'kfp-token-of-nobody'


OPTIONS = [part for option in golden.OPTIONS.items() for part in option]


def on_kubeflow(server: Server) -> list[str]:
    # This machine cannot read the root.
    root = ('--pipeline-root', 'minio://mlpipeline/root')
    return [*OPTIONS, *root, '--target', 'kubeflow', '--host', server.url]


def on_vertex(server: Server) -> list[str]:
    place = ('--project', 'films', '--region', 'europe-west4')
    return [*OPTIONS, *place, '--target', 'vertex', '--host', server.url]


def without_module(module: str, args: Sequence[str], cwd: pathlib.Path) -> Finished:
    """Run the command line as if a module were not installed."""
    code = (
        f'import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(REPO)!r}); '
        'import pipeline_runner; sys.exit(pipeline_runner._exit_code(sys.argv[1:]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def assert_one_line(done: Finished, code: int, message: str) -> None:
    assert (done.code, done.out) == (code, '')
    assert message in done.err
    assert done.err.startswith('error: ')
    assert done.err.count('\n') == 1


def test_exit_code_is_8_when_the_result_cannot_be_read(
    kubeflow_server: Server, fake_kubeflow: FakeKubeflow, tmp_path: pathlib.Path
) -> None:
    kubeflow_server.token, fake_kubeflow.properties = TOKEN, None
    (tmp_path / 'token').write_text(TOKEN)
    done = call_command(
        'submit',
        *on_kubeflow(kubeflow_server),
        *('--token-file', str(tmp_path / 'token'), '--wait', '--poll', '1'),
        cwd=tmp_path,
    )
    url = f'{kubeflow_server.url}/#/runs/details/run-1'
    assert (done.code, done.out) == (8, f'{url}\n')
    *states, error = done.err.splitlines()
    assert [line.partition(' ')[2] for line in states] == ['pending', 'running', 'succeeded']
    assert error.startswith('error: the run succeeded, but its result is unknown: ')
    assert error.endswith(f'; see {url}')
    [body] = kubeflow_server.sent(f'POST {API}/runs')
    assert body['runtime_config']['pipeline_root'] == 'minio://mlpipeline/root'
    assert TOKEN not in f'{done}{body}'


def test_exit_code_is_3_when_the_model_is_not_blessed(
    vertex_server: Server,
    fake_vertex: FakeVertex,
    google_credentials: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    fake_vertex.states = ('SUCCEEDED',)
    fake_vertex.properties = {'pushed': 0}
    options = ('--label', 'team=films', '--label', 'stage=test', '--failure-policy', 'fast')
    waiting = ('--no-cache', '--wait', '--poll', '1')
    done = call_command('submit', *on_vertex(vertex_server), *options, *waiting, cwd=tmp_path)
    [job_id] = fake_vertex.jobs
    assert (done.code, job_id in done.out) == (3, True)
    assert done.err.splitlines()[-1].startswith('error: not blessed: the run pushed nothing')
    [body] = vertex_server.sent(f'POST {PARENT}/pipelineJobs')
    assert set(body['runtimeConfig']['parameterValues']) == set(
        body['pipelineSpec']['root']['inputDefinitions']['parameters']
    )
    labels = body['labels']
    assert (labels['team'], labels['stage'], 'tfx_version' in labels) == ('films', 'test', True)
    assert body['runtimeConfig']['failurePolicy']
    tasks = body['pipelineSpec']['root']['dag']['tasks'].values()
    assert not any(task['cachingOptions'].get('enableCache') for task in tasks)
    assert GOOGLE_TOKEN not in f'{done}{body}'


def test_message_says_that_the_run_goes_on_when_interrupted(
    kubeflow_server: Server, fake_kubeflow: FakeKubeflow, tmp_path: pathlib.Path
) -> None:
    fake_kubeflow.states = ('RUNNING',)
    process = subprocess.Popen(
        [
            *(sys.executable, str(REPO / 'pipeline_runner.py'), 'submit'),
            *on_kubeflow(kubeflow_server),
            *('--wait', '--poll', '30'),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    url = process.stdout.readline().strip()
    assert process.stderr.readline().endswith('running\n')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    hint = f'the run continues: {url}; to follow it, use runs follow run-1'
    assert err.strip() == f'interrupted; {hint}'


def test_run_is_followed_and_cancelled_when_it_was_submitted(
    kubeflow_server: Server, fake_kubeflow: FakeKubeflow, tmp_path: pathlib.Path
) -> None:
    fake_kubeflow.states = ('PENDING', 'RUNNING')
    more = ('--run-name', 'friday', '--again', 'Trainer')
    call_command('submit', *on_kubeflow(kubeflow_server), *more, cwd=tmp_path)
    assert fake_kubeflow.runs['run-1']['display_name'] == 'friday'
    tasks = fake_kubeflow.versions['version-1']['pipeline_spec']['root']['dag']['tasks']
    assert [bool(tasks[name]['cachingOptions']) for name in ('Transform', 'Trainer')] == [
        True,
        False,
    ]
    where = ('run-1', '--target', 'kubeflow', '--host', kubeflow_server.url)
    cancelled = call_command('runs', 'cancel', *where, cwd=tmp_path)
    assert (cancelled.code, cancelled.out, cancelled.err.count('\n')) == (0, '', 1)
    followed = call_command('runs', 'follow', *where, '--poll', '1', cwd=tmp_path)
    url = f'{kubeflow_server.url}/#/runs/details/run-1'
    assert (followed.code, followed.out) == (5, f'{url}\n')
    *states, error = followed.err.splitlines()
    assert [line.partition(' ')[2] for line in states] == ['canceled']
    assert error == f'error: the run was cancelled; nothing was pushed; see {url}'


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (('follow', ' '), 'expected the id of a run'),
        (('--json', 'follow', 'run-1'), '--root and --json apply to local runs only'),
    ],
)
def test_usage_is_refused_when_it_is_not_that_of_a_run_on_a_service(
    args: Sequence[str], message: str, tmp_path: pathlib.Path
) -> None:
    where = ('--target', 'kubeflow', '--host', 'http://127.0.0.1:1')
    done = call_command('runs', *args, *where, cwd=tmp_path)
    assert (done.code, message in done.err) == (2, True)


def test_schedule_is_paused_shown_and_deleted_when_created(
    kubeflow_server: Server, fake_kubeflow: FakeKubeflow, tmp_path: pathlib.Path
) -> None:
    created = call_command(
        *('schedule', 'create'),
        *on_kubeflow(kubeflow_server),
        *('--cron', '0 3 * * mon-fri', '--max-concurrency', '2'),
        cwd=tmp_path,
    )
    assert (created.code, created.err.count('\n')) == (0, 1)
    assert created.out == f'{kubeflow_server.url}/#/recurringrun/details/recurring-1\n'
    where = ('--target', 'kubeflow', '--host', kubeflow_server.url)
    listed = call_command('schedule', 'list', *where, '--json', cwd=tmp_path)
    assert [(i['name'], i['cron']) for i in listed.json] == [('sentiment', '0 0 3 * * mon-fri')]
    for command, state in (('pause', 'paused'), ('resume', 'active')):
        assert call_command('schedule', command, *where, 'sentiment', cwd=tmp_path).code == 0
        shown = call_command('schedule', 'show', *where, 'sentiment', cwd=tmp_path)
        assert f'state: {state}\n' in shown.out
    deleted = call_command('schedule', 'delete', *where, 'sentiment', cwd=tmp_path)
    assert (deleted.code, fake_kubeflow.recurring) == (0, {})


@pytest.mark.parametrize(
    ('module', 'args'),
    [
        ('kfp', ('schedule', 'list', '--target', 'kubeflow', '--host', 'http://h')),
        ('kfp', ('compile', '--target', 'kubeflow', *OPTIONS)),
        (
            'google.cloud.aiplatform_v1',
            ('schedule', 'list', '--target', 'vertex', '--project', 'a', '--region', 'b'),
        ),
    ],
)
def test_hint_is_to_install_the_client_when_it_is_missing(
    module: str, args: Sequence[str], tmp_path: pathlib.Path
) -> None:
    assert_one_line(without_module(module, args, tmp_path), 6, 'make cloud')
