from __future__ import annotations

import pathlib

import pytest

import pipeline_runner
from components.common.errors import ConfigError
from components.common.secrets import has_credentials, mask, register, secret_scope
from pipeline.cloud.clients.connection import connect
from pipeline.cloud.clients.kfp_client import read_token
from pipeline.settings.config import load_config
from tests.conftest import call_command

_CANARY = 'canary-5f1d9c'


@pytest.mark.parametrize(
    ('text', 'masked'),
    [
        ('https://me:pw@example.com/a', 'https://***@example.com/a'),
        ('s3://key@bucket/x', 's3://***@bucket/x'),
        ('a p@ss in //u:p@ss@h', 'a p@ss in //u:p@ss@h'),
        ('http://u:p@ss@h/x', 'http://***@h/x'),
        ('/home/me/http:/u:p@h/x', '/home/me/http:/***@h/x'),
        ('https://h/x?a=1&X-Goog-Signature=abc&b=2', 'https://h/x?a=1&X-Goog-Signature=***&b=2'),
        ('https://h/x?api_key=abc', 'https://h/x?api_key=***'),
        ('gs://bucket/day-?/x@2.csv', 'gs://bucket/day-?/x@2.csv'),
        ('mail me@example.com', 'mail me@example.com'),
        ('/data/a?b/token.csv', '/data/a?b/token.csv'),
    ],
)
def test_credentials_are_masked_when_an_address_contains_them(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert has_credentials(text) == (text != masked)


@pytest.mark.parametrize(
    'setting', ['data.path', 'root', 'serving_dir', 'cloud.pipeline_root', 'cloud.image']
)
@pytest.mark.parametrize('place', [f's3://me:{_CANARY}@b/x', f'https://h/x?token={_CANARY}'])
def test_location_is_refused_when_it_contains_credentials(setting: str, place: str) -> None:
    with pytest.raises(ConfigError, match='expected') as found:
        load_config(preset='ngram', flags={'data.path': 'a.csv', setting: place})
    assert _CANARY not in str(found.value) + found.value.hint


@pytest.mark.parametrize(
    'setting', ['socket', 'user', 'password_file', 'tls.ca', 'tls.cert', 'tls.key']
)
def test_setting_of_the_store_is_refused_when_it_contains_credentials(setting: str) -> None:
    address = f'mysql://me:{_CANARY}@h/d'
    tree = {'metadata.backend': 'mysql', 'metadata.database': 'd', 'metadata.user': 'u'}
    tree |= {} if setting == 'socket' else {'metadata.host': 'h'}
    tree |= {f'metadata.tls.{name}': name for name in ('ca', 'cert', 'key') if 'tls' in setting}
    with pytest.raises(ConfigError, match=f'^metadata.{setting}: expected') as found:
        load_config(
            preset='ngram', flags={'data.path': 'a.csv', **tree, f'metadata.{setting}': address}
        )
    assert _CANARY not in str(found.value) + found.value.hint


def test_value_is_masked_when_it_is_of_the_wrong_type() -> None:
    with pytest.raises(ConfigError, match='got ') as found:
        load_config(preset='ngram', settings=[f'data=https://me:{_CANARY}@h/x'])
    assert _CANARY not in str(found.value)
    with pytest.raises(ConfigError, match='expected YAML') as found:
        load_config(preset='ngram', settings=[f'data=[https://me:{_CANARY}@h/x'])
    assert _CANARY not in str(found.value)


@pytest.mark.parametrize('port', ['', ':99999999', ':x'])
def test_host_is_masked_when_it_is_no_address(port: str) -> None:
    with pytest.raises(ConfigError, match='expected an address') as found:
        connect('kubeflow', {'host': f'https://me:{_CANARY}@example.com{port}'}, print)
    assert _CANARY not in str(found.value)


@pytest.mark.parametrize(
    'args',
    [
        ('models', '--serving-dir', f'https://me:{_CANARY}@h/x'),
        ('predict', 'x', '--serving-dir', f'https://me:{_CANARY}@h/x'),
        ('runs', '--root', f'https://me:{_CANARY}@h/x'),
        ('repair', '--root', f'https://me:{_CANARY}@h/x'),
        ('run', '--data', f'https://me:{_CANARY}@h/x'),
        ('doctor', '--root', f'https://me:{_CANARY}@h/x'),
        ('schedule', 'list', '--target', 'kubeflow', '--host', f'http://me:{_CANARY}@h:0'),
        ('compile', '--target', 'vertex', '--data', 'gs://b/a.csv', '--image', 'i',
         '--pipeline-root', 'gs://b/r', '--serving-dir', f'gs://me:{_CANARY}@b/x'),
    ],
)  # fmt: skip
def test_nothing_shows_credentials_when_a_command_fails(
    args: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    done = call_command(*args, cwd=tmp_path)
    assert done.code in (2, 4)
    assert _CANARY not in done.out + done.err
    assert list(tmp_path.iterdir()) == []


def test_token_is_masked_when_a_service_quotes_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'token').write_text(f'{_CANARY}-token\n')
    token = read_token(str(tmp_path / 'token'))
    assert mask(f'no right for Bearer {token}') == 'no right for Bearer ***'


@pytest.mark.parametrize('order', [('key', 'key-and-more'), ('key-and-more', 'key')])
def test_whole_secret_is_masked_when_another_one_is_its_prefix(order: tuple[str, ...]) -> None:
    for secret in order:
        register(secret)
    assert mask('refused: key-and-more, key') == 'refused: ***, ***'


def test_secret_is_forgotten_when_its_scope_ends() -> None:
    register('outer')
    with secret_scope():
        register('inner')
        assert mask('outer inner') == '*** ***'
    assert mask('outer inner') == '*** inner'


def test_secret_of_one_command_is_unknown_when_the_next_one_runs_in_the_same_process(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'token').write_text('of-file\n')
    host = ('--host', 'http://127.0.0.1:9', '--token-file', 'token')
    assert pipeline_runner._exit_code(['schedule', 'list', '--target', 'kubeflow', *host]) == 7
    assert mask('of-file.csv') == 'of-file.csv'
