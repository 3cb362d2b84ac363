from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients.connection import connect
from pipeline.cloud.clients.kfp_client import read_token
from pipeline.cloud.targets import Target

HOST = 'http://127.0.0.1:8080'


@pytest.mark.parametrize(
    ('target', 'options', 'message'),
    [
        ('vertex', {'region': 'europe-west4'}, '--target vertex needs --project'),
        ('vertex', {'project': 'films'}, '--target vertex needs --region'),
        (
            'kubeflow',
            {'host': HOST, 'project': 'a'},
            '--project does not apply to --target kubeflow',
        ),
        (
            'vertex',
            {'project': 'a', 'region': 'b', 'token_file': 'token'},
            '--token-file does not apply to --target vertex',
        ),
        (
            'kubeflow',
            {'host': HOST, 'label': ('a=b',)},
            '--label does not apply to --target kubeflow',
        ),
        (
            'kubeflow',
            {'host': HOST, 'failure_policy': 'fast'},
            '--failure-policy does not apply to --target kubeflow',
        ),
        (
            'vertex',
            {'project': 'a', 'region': 'b', 'client_option': ('proxy=http://p',)},
            '--client-option does not apply to --target vertex',
        ),
        ('kubeflow', {'host': 'kubeflow.films.invalid'}, 'expected an address as'),
        ('kubeflow', {'host': 'ftp://kubeflow'}, 'expected an address as'),
        ('kubeflow', {'host': 'https://me:secret@kubeflow.invalid'}, 'without user, password'),
    ],
)
def test_options_are_refused_when_they_do_not_fit(
    target: Target, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        connect(target, {'namespace': None, 'reserved_ip_range': (), **options}, print)
    assert error.value.hint
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
def test_warning_is_printed_when_the_login_is_sent_unencrypted(
    host: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    connect('kubeflow', {'host': host, 'client_option': ('cookies=a=1',)}, warnings.append)
    assert bool(warnings) is warned
    monkeypatch.setenv('KFP_TOKEN', 'token-of-nobody')
    warnings.clear()
    connect('kubeflow', {'host': host}, warnings.append)
    assert bool(warnings) is warned
    assert 'token-of-nobody' not in ''.join(warnings)


def test_token_is_that_of_the_file_when_both_exist(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_token(None) == ''
    monkeypatch.setenv('KFP_TOKEN', 'of-environment\n')
    assert read_token(None) == 'of-environment'
    (tmp_path / 'token').write_text('  of-file\n')
    assert read_token(str(tmp_path / 'token')) == 'of-file'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'cannot read the token from .*: No such file'),
        (b'\xff\xfe', 'cannot read the token from .*: it is not text'),
        *((text.encode(), 'expected one token and nothing else')
          for text in ('', ' \n', 'two words', 'two\nlines', 'schlüssel')),
    ],
)  # fmt: skip
def test_token_is_refused_and_not_repeated_when_it_is_malformed(
    content: bytes | None, message: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / 'token'
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        read_token(str(file))
    assert error.value.hint
    assert not any(word in f'{error.value} {error.value.hint}' for word in ('two', 'schl'))
