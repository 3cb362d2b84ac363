"""Settings of the metadata store."""

from __future__ import annotations

import pathlib
import shlex
from typing import Any

import pytest

from components.common.errors import ConfigError
from pipeline.settings.config import load_config
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_run


@pytest.mark.parametrize(
    ('tree', 'expected'),
    [
        ({'host': 'db'}, 'host applies only to the backend mysql'),
        ({'backend': 'mysql'}, 'needs host or socket, and not both'),
        ({'backend': 'mysql', 'host': 'db', 'socket': '/s'}, 'needs host or socket, and not both'),
        ({'backend': 'mysql', 'host': 'db', 'user': 'u'}, 'needs database'),
        ({'backend': 'mysql', 'host': 'db', 'database': 'd'}, 'needs user'),
        ({'backend': 'mysql', 'host': 'a b'}, 'name or address of a machine'),
        ({'backend': 'mysql', 'host': 'db..example.com'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': '..'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': f'{"a" * 64}.com'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': 'u:canary@db'}, 'without a user or password'),
        ({'backend': 'mysql', 'host': 'db', 'database': 'd; DROP TABLE x'}, 'metadata.database'),
        ({'backend': 'mysql', 'host': 'db', 'port': 0}, 'metadata.port'),
        ({'tls': {'cert': 'c'}}, 'expected both cert and key, or neither'),
        ({'tls': {'cert': 'c', 'key': 'k'}}, 'needs ca'),
        ({'password': 'canary'}, "no setting 'metadata.password'"),
        ({'backend': 'mysql', 'socket': '/s', 'database': 'd', 'user': 'u', 'tls': {'ca': 'c'}},
         'tls is for a host'),
    ],
)  # fmt: skip
def test_settings_are_refused_when_they_do_not_describe_a_store(
    tree: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as found:
        load_config(preset='ngram', flags={'data.path': 'a.csv', 'metadata': tree})
    assert 'canary' not in f'{found.value} {found.value.hint}'


@pytest.mark.parametrize('name', ['db.example.com', 'db.example.com.', '::1', '10.0.0.1', 'a' * 63])
def test_host_is_accepted_when_it_is_a_name_or_an_address(name: str) -> None:
    assert MetadataSettings(backend='mysql', host=name, database='d', user='u').host == name


@pytest.mark.parametrize(
    'tree',
    [
        {'database': '2024_10', 'user': 'no'},
        {'database': '1', 'user': 'a: #b'},
        {'database': 'd', 'user': "it's \u00e9", 'port': 3307, 'password_file': '/a b/~'},
        {'database': 'd', 'user': 'u', 'tls': {'ca': '/c a', 'cert': '/1', 'key': '/null'}},
    ],
)
def test_options_give_the_same_settings_when_a_command_parses_them(tree: dict[str, Any]) -> None:
    settings = MetadataSettings(backend='mysql', host='db', **tree)
    flags = shlex.split(settings.flags())
    assert set(flags[::2]) == {'--set'}
    config = load_config(preset='ngram', flags={'data.path': 'a.csv'}, settings=flags[1::2])
    assert config.metadata == settings


def test_files_of_a_recorded_run_are_found_when_the_current_folder_is_another_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tree = {
        'backend': 'mysql', 'host': 'db', 'database': 'd', 'user': 'u',
        'password_file': 'pw', 'tls': {'ca': 'ca.pem', 'cert': 'me.pem', 'key': 'keys/me'},
    }  # fmt: skip
    config = load_config(preset='ngram', flags={'data.path': 'a.csv', 'metadata': tree})
    (tmp_path / 'pw').write_text('canary')
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    mysql = backend_of_run(config.model_dump(), tmp_path / 'root').connection().mysql
    assert mysql.password == 'canary'
    assert mysql.ssl_options.ca == str(tmp_path / 'ca.pem')
    assert mysql.ssl_options.cert == str(tmp_path / 'me.pem')
    assert mysql.ssl_options.key == str(tmp_path / 'keys' / 'me')
    with_socket = MetadataSettings(backend='mysql', socket='s', database='d', user='u')
    assert with_socket.socket == str(tmp_path / 'elsewhere' / 's')
