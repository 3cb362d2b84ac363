"""Arguments of kfp's client on the command line, against a fake of the service over HTTP."""

from __future__ import annotations

import datetime
import ipaddress
import json
import pathlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.common import secrets
from components.common.errors import ConfigError, ServiceError
from pipeline.cloud.clients.connection import connect
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import API, KUBERNETES_PROXY, FakeKubeflow
from tests.played import Server, serving


def make_certificate(folder: pathlib.Path) -> tuple[pathlib.Path, ssl.SSLContext]:
    """Return a file with a certificate of 127.0.0.1, and the context of a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'films')])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address('127.0.0.1'))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / 'certificate.pem', folder / 'key.pem'
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Path of the kubeconfig file, which does not exist."""
    pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')
    path = tmp_path / 'kubeconfig'
    monkeypatch.setattr('kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION', str(path))
    return path


def test_cookies_are_sent_with_each_request_and_masked_when_they_are_in_a_file(
    kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'cookies').write_text('authservice_session=cookie-of-nobody\n')
    option = f'cookies=@{tmp_path / "cookies"}'
    service = KubeflowService(kubeflow_server.url, client_option=(option,))
    service.status(service.submit(kubeflow_pipeline, VALUES))
    sent = {request.cookie for request in kubeflow_server.requests}
    assert sent == {'authservice_session=cookie-of-nobody'}
    assert secrets.mask('refused: authservice_session=cookie-of-nobody') == 'refused: ***'


@pytest.mark.filterwarnings('ignore:Unverified HTTPS request')
def test_server_is_trusted_when_its_certificate_is_given(
    fake_kubeflow: FakeKubeflow, tmp_path: pathlib.Path
) -> None:
    certificate, context = make_certificate(tmp_path)
    with serving(fake_kubeflow, tls=context) as server:
        for option in (f'ssl_ca_cert={certificate}', 'verify_ssl=false'):
            assert KubeflowService(server.url, client_option=(option,)).schedules() == []
        with pytest.raises(ServiceError, match='cannot be reached: .*certificate verify failed'):
            KubeflowService(server.url).schedules()


@pytest.mark.parametrize('options', [(), ('kube_context=films',)])
def test_address_is_that_of_the_cluster_when_a_kubeconfig_file_has_it(
    options: tuple[str, ...],
    kubeconfig: pathlib.Path,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    context = {'cluster': 'films', 'user': 'me'}
    config = {
        'clusters': [{'name': 'films', 'cluster': {'server': kubeflow_server.url}}],
        'users': [{'name': 'me', 'user': {'token': 'token-of-nobody'}}],
        'contexts': [{'name': 'films', 'context': context}],
        'current-context': '' if options else 'films',
    }
    kubeconfig.write_text(json.dumps(config))
    service = connect('kubeflow', {'client_option': options}, print)
    run = service.submit(kubeflow_pipeline, VALUES)
    assert run.url == f'{kubeflow_server.url}{KUBERNETES_PROXY}/#/runs/details/run-1'
    assert kubeflow_server.sent(f'POST {KUBERNETES_PROXY}{API}/runs')
    assert {r.authorization for r in kubeflow_server.requests} == {'Bearer token-of-nobody'}


def test_address_of_a_run_is_that_of_the_user_interface_when_given(
    kubeflow_server: Server, kubeflow_pipeline: CompiledPipeline
) -> None:
    option = 'ui_host=https://films.invalid/pipeline/'
    service = KubeflowService(kubeflow_server.url, client_option=(option,))
    run = service.submit(kubeflow_pipeline, VALUES)
    assert run.url == 'https://films.invalid/pipeline/#/runs/details/run-1'


@pytest.mark.parametrize('options', [(), ('kube_context=films',)])
def test_host_is_required_when_there_is_no_kubeconfig_file(
    options: tuple[str, ...], kubeconfig: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match='--target kubeflow needs --host: there is no') as error:
        connect('kubeflow', {'client_option': options}, print)
    assert 'kube_context' in error.value.hint
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('cookie=a',), "the client of the installed kfp has no argument 'cookie'"),
        (('host=http://127.0.0.1',), '--client-option host: there is an option of its own'),
        (('existing_token=secret-of-me',), '--client-option existing_token: there is an option'),
        (('verify_ssl=secret-of-me',), '--client-option verify_ssl: .*boolean'),
        (('cookies=',), '--client-option cookies: expected a value'),
        (('cookies',), '--client-option cookies: expected a value'),
        (('cookies=a', 'cookies=b'), '--client-option cookies: expected once, got it twice'),
        (('cookies=@missing',), '--client-option cookies: cannot read missing: No such file'),
    ],
)
def test_argument_is_refused_and_its_value_not_repeated_when_it_is_wrong(
    options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        KubeflowService('http://127.0.0.1:1', client_option=options)
    assert error.value.hint
    assert 'secret-of-me' not in f'{error.value} {error.value.hint}'


def test_error_is_one_line_when_the_login_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', '/missing.json')
    options = ('client_id=films', 'other_client_secret=secret-of-me')
    with pytest.raises(ServiceError, match='the login to Kubeflow Pipelines failed: ') as error:
        KubeflowService('https://films.invalid', client_option=options)
    assert error.value.hint == 'check the values of --client-option'
