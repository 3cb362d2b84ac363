"""A small compiled pipeline, fakes of the services, and credentials for them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.vertex import VertexService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Parameter
from pipeline.cloud.targets import Target
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.pipeline.cloud.clients.fake_vertex import FakeVertex
from tests.played import Refused, Request, Server, serving

GOOGLE_TOKEN = 'google-token-of-nobody'
VALUES = {'train-epochs': 5, 'data': 'gs://films/reviews'}


def make_pipeline(target: Target, pipeline_root: str, name: str = 'sentiment') -> CompiledPipeline:
    """Make a pipeline of two nodes with two run-time parameters."""
    nodes = ('Trainer', 'Pusher')
    parameters = (
        Parameter(name='train-epochs', default=3, description='how often'),
        Parameter(name='data', default='gs://films/reviews', description='which'),
    )
    spec: dict[str, Any] = {
        'pipelineInfo': {'name': name},
        'schemaVersion': '2.1.0',
        'sdkVersion': 'tfx-1.16.0',
        'deploymentSpec': {
            'executors': {f'{node}_executor': {'container': {'image': 'reviews'}} for node in nodes}
        },
        'components': {node: {'executorLabel': f'{node}_executor'} for node in nodes},
        'root': {
            'dag': {
                'tasks': {
                    node: {'taskInfo': {'name': node}, 'componentRef': {'name': node}}
                    for node in nodes
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
        parameters={parameter.name: parameter for parameter in parameters},
    )


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the token and the proxies of this machine from the clients."""
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
def kubeflow(kubeflow_server: Server) -> KubeflowService:
    return KubeflowService(f'{kubeflow_server.url}/')


@pytest.fixture
def kubeflow_pipeline(tmp_path: pathlib.Path) -> CompiledPipeline:
    return make_pipeline('kubeflow', str(tmp_path / 'root'))


@pytest.fixture
def fake_vertex() -> FakeVertex:
    return FakeVertex()


@pytest.fixture
def vertex_server(fake_vertex: FakeVertex) -> Iterator[Server]:
    with serving(fake_vertex) as server:
        server.token = GOOGLE_TOKEN
        yield server


@pytest.fixture
def vertex(vertex_server: Server, google_credentials: pathlib.Path) -> VertexService:
    return VertexService('films', 'europe-west4', host=vertex_server.url)


@pytest.fixture
def vertex_pipeline() -> CompiledPipeline:
    return make_pipeline('vertex', 'gs://films/root')


class FakeTokens:
    """A fake of Google's token exchange."""

    def answer(self, request: Request) -> Any:
        """Return an access token."""
        return {
            'access_token': GOOGLE_TOKEN,
            'issued_token_type': 'urn:ietf:params:oauth:token-type:access_token',
            'token_type': 'Bearer',
            'expires_in': 3600,
        }

    def error(self, refused: Refused) -> Any:
        """Return an error as OAuth has it."""
        return {'error': 'invalid_grant', 'error_description': str(refused)}


@pytest.fixture
def token_server() -> Iterator[Server]:
    with serving(FakeTokens()) as server:
        yield server


@pytest.fixture
def google_credentials(
    token_server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """Create credentials of a federated account where Google's client finds them."""
    (tmp_path / 'subject').write_text('nobody')
    path = tmp_path / 'credentials.json'
    credentials = {
        'type': 'external_account',
        'audience': '//films.invalid/tests',
        'subject_token_type': 'urn:ietf:params:oauth:token-type:jwt',
        'token_url': f'{token_server.url}/token',
        'credential_source': {'file': str(tmp_path / 'subject')},
    }
    path.write_text(json.dumps(credentials))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(path))
    return path
