from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients.connection import Connection, connect, token_reader

HOST = 'http://127.0.0.1:8080'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'target': 'kubeflow'}, 'kubeflow needs --host'),
        ({'target': 'vertex', 'region': 'europe-west4'}, 'vertex needs --project'),
        ({'target': 'vertex', 'project': 'films'}, 'vertex needs --region'),
        (
            {'target': 'kubeflow', 'host': HOST, 'project': 'films'},
            '--project is for --target vertex, got --target kubeflow',
        ),
        (
            {'target': 'vertex', 'project': 'a', 'region': 'b', 'token_file': 'token'},
            '--token-file is for --target kubeflow, got --target vertex',
        ),
        ({'target': 'vertex', 'project': 'a/b', 'region': 'c'}, "--project: .* got 'a/b'"),
        ({'target': 'vertex', 'project': 'a', 'region': 'c.d/'}, "--region: .* got 'c.d/'"),
        ({'target': 'kubeflow', 'host': 'kubeflow.films.invalid'}, 'expected an address as'),
        ({'target': 'kubeflow', 'host': 'ftp://kubeflow'}, 'expected an address as'),
        ({'target': 'kubeflow', 'host': 'http://'}, 'expected an address as'),
        ({'target': 'kubeflow', 'host': 'http://host:port'}, 'expected an address as'),
        ({'target': 'kubeflow', 'host': 'http://host/#/runs'}, 'expected an address as'),
    ],
)
def test_options_are_refused_when_they_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Connection(**options)


def test_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match='without user, password or token') as error:
        Connection(target='kubeflow', host='https://me:secret@kubeflow.invalid')
    assert 'secret' not in f'{error.value} {error.value.hint}'


@pytest.mark.parametrize(
    ('host', 'warned'),
    [
        ('http://127.0.0.1:8080', False),
        ('http://localhost:8080', False),
        ('http://[::1]:8080', False),
        ('https://kubeflow.invalid/pipeline', False),
        ('http://kubeflow.invalid', True),
        ('http://10.0.0.1', True),
    ],
)
def test_warning_is_printed_when_the_token_is_sent_unencrypted(
    host: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('KFP_TOKEN', 'token-of-nobody')
    warnings: list[str] = []
    connect(Connection(target='kubeflow', host=host), warnings.append)
    assert bool(warnings) is warned
    assert 'token-of-nobody' not in ''.join(warnings)


class TestToken:
    def test_token_is_that_of_the_file_when_both_exist(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / 'token'
        file.write_text('  of-file\n')
        read = token_reader(str(file), 'of-environment')
        assert read
        assert read() == 'of-file'

    def test_token_is_that_of_the_environment_when_there_is_no_file(self) -> None:
        read = token_reader(None, 'of-environment\n')
        assert read
        assert read() == 'of-environment'

    @pytest.mark.parametrize('value', [None, ''])
    def test_token_is_none_when_there_is_none(self, value: str | None) -> None:
        assert token_reader(None, value) is None

    def test_error_names_the_file_when_it_is_missing(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ConfigError, match='cannot read the token from .*: No such file'):
            token_reader(str(tmp_path / 'missing'), None)

    @pytest.mark.parametrize('content', ['', ' \n', 'two words', 'two\nlines', 'schlüssel'])
    def test_token_is_refused_and_not_repeated_when_it_is_malformed(
        self, content: str, tmp_path: pathlib.Path
    ) -> None:
        file = tmp_path / 'token'
        file.write_text(content, encoding='utf-8')
        with pytest.raises(ConfigError, match='expected one token and nothing else') as error:
            token_reader(str(file), None)
        assert not content.strip() or content.strip() not in str(error.value)

    def test_token_is_refused_when_the_file_is_not_text(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / 'token'
        file.write_bytes(b'\xff\xfe')
        with pytest.raises(ConfigError, match='it is not text'):
            token_reader(str(file), None)
