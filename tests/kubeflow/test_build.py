"""Where the sources come from, and the messages if something is missing."""

from __future__ import annotations

import pathlib
import tarfile

import pytest

from components.common.errors import ConfigError, MissingDependencyError
from tests.kubeflow import build, namespaces


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """Make a folder that looks like a checkout of kubeflow/pipelines."""
    folder = tmp_path / 'pipelines'
    (folder / 'backend/src/v2/cmd/driver').mkdir(parents=True)
    return folder


def test_checkout_is_used_where_it_is(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout.parent)
    assert build.find_source('pipelines') == checkout


def test_archive_is_unpacked_once(
    checkout: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, 'BUILDS', tmp_path / 'builds')
    archive = tmp_path / 'kfp.tar.xz'
    with tarfile.open(archive, 'w:xz') as tar:
        tar.add(checkout, 'kfp-2.17.0')
    source = build.find_source(str(archive))
    (source / 'kept').touch()
    assert (build.find_source(str(archive)) / 'kept').exists()
    assert [path.name for path in source.parent.iterdir()] == ['kfp-2.17.0']


@pytest.mark.parametrize('kind', ['nothing', 'absent', 'folder', 'file', 'other archive'])
def test_error_tells_how_to_get_the_sources_when_the_path_has_none(
    kind: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, 'BUILDS', tmp_path / 'builds')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').write_text('no archive')
    with tarfile.open(tmp_path / 'other archive', 'w') as tar:
        tar.add(tmp_path / 'folder', 'folder')
    path = '' if kind == 'nothing' else str(tmp_path / kind)
    with pytest.raises(ConfigError, match='^KFP_SOURCE: ') as caught:
        build.find_source(path)
    assert 'git clone --depth 1 --branch 2.17.0' in caught.value.hint
    assert 'make kubeflow KFP_SOURCE=pipelines' in caught.value.hint


@pytest.mark.parametrize('check', [build.require_programs, namespaces.require_programs])
def test_error_names_the_program_that_is_missing(
    check: object, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr('os.geteuid', lambda: 0)
    with pytest.raises(MissingDependencyError, match=r'^\w+ is not installed') as caught:
        check()
    assert caught.value.hint


def test_error_asks_for_root_when_the_user_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('os.geteuid', lambda: 1000)
    with pytest.raises(MissingDependencyError, match='needs Linux and root'):
        namespaces.require_programs()


@pytest.mark.parametrize(
    ('requirement', 'added', 'imported'),
    [
        ('grpc-gateway v1.16.0', '', 'grpc-gateway/runtime"'),
        ('grpc-gateway/v2 v2.27.3', '', 'server.NewTaskServer'),
        ('grpc-gateway/v2 v2.27.3', 'artifact_server.go', 'server.NewArtifactServer'),
    ],
    ids=['2.5.0', '2.17.0', '3.0'],
)
def test_program_fits_the_version(
    requirement: str, added: str, imported: str, checkout: pathlib.Path
) -> None:
    (checkout / 'go.mod').write_text(f'require github.com/grpc-ecosystem/{requirement}\n')
    servers = checkout / 'backend/src/apiserver/server'
    servers.mkdir(parents=True)
    if added:
        (servers / added).touch()
    program = build.adapt_program(checkout)
    assert imported in program
    # Go refuses an import that is not used.
    assert ('apiv1 "' in program) == ('apiv1.' in program)
