"""A small compiled pipeline, the fakes behind HTTP, and credentials that are nobody's."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cloud.compiled import CompiledPipeline, Parameter
from pipeline.cloud.targets import Target
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.pipeline.cloud.clients.fake_vertex import FakeVertex
from tests.pipeline.cloud.clients.server import Server, serving

NODES = ('ExampleGen', 'Trainer', 'Evaluator', 'Pusher')


def make_pipeline(target: Target, pipeline_root: str, name: str = 'sentiment') -> CompiledPipeline:
    """Make a pipeline of four nodes with two run-time parameters."""
    spec: dict[str, Any] = {
        'pipelineInfo': {'name': name},
        'schemaVersion': '2.1.0',
        'sdkVersion': 'tfx-1.16.0',
        'deploymentSpec': {
            'executors': {f'{node}_executor': {'container': {'image': 'reviews'}} for node in NODES}
        },
        'components': {node: {'executorLabel': f'{node}_executor'} for node in NODES},
        'root': {
            'dag': {
                'tasks': {
                    node: {'taskInfo': {'name': node}, 'componentRef': {'name': node}}
                    for node in NODES
                }
            },
            'inputDefinitions': {
                'parameters': {
                    'train-epochs': {'parameterType': 'NUMBER_INTEGER', 'defaultValue': 3},
                    'data': {'parameterType': 'STRING', 'defaultValue': 'gs://films/reviews'},
                }
            },
        },
    }
    return CompiledPipeline(
        target=target,
        name=name,
        pipeline_root=pipeline_root,
        spec=spec,
        parameters={
            'train-epochs': Parameter(
                name='train-epochs', kind='integer', default=3, description='how often'
            ),
            'data': Parameter(
                name='data', kind='string', default='gs://films/reviews', description='which'
            ),
        },
    )


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Keep the clients from the token and the proxies of whoever runs the tests."""
    monkeypatch.delenv('KFP_TOKEN', raising=False)
    for name in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def fake_kubeflow() -> FakeKubeflow:
    return FakeKubeflow()


@pytest.fixture
def kubeflow_server(fake_kubeflow: FakeKubeflow) -> Iterator[Server]:
    with serving(fake_kubeflow) as server:
        yield server


@pytest.fixture
def kubeflow_pipeline(tmp_path: pathlib.Path) -> CompiledPipeline:
    return make_pipeline('kubeflow', str(tmp_path / 'root'))


@pytest.fixture
def fake_vertex() -> FakeVertex:
    return FakeVertex()


@pytest.fixture
def vertex_server(fake_vertex: FakeVertex) -> Iterator[Server]:
    with serving(fake_vertex) as server:
        yield server


@pytest.fixture
def vertex_pipeline() -> CompiledPipeline:
    return make_pipeline('vertex', 'gs://films/root')


@pytest.fixture(scope='session')
def _service_account(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp('account') / 'account.json'
    path.write_text(
        json.dumps(
            {
                'type': 'service_account',
                'project_id': 'films',
                'private_key_id': 'none',
                'private_key': key.decode(),
                'client_email': 'tests@films.invalid',
                # Nothing listens there: the client signs its own tokens.
                'token_uri': 'http://127.0.0.1:9/token',
            }
        )
    )
    return path


@pytest.fixture
def google_credentials(
    _service_account: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """Have Google's client find credentials in the usual place."""
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(_service_account))
    return _service_account
