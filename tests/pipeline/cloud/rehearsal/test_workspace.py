"""All files of rehearsals are below one folder; the sample is cut once."""

from __future__ import annotations

import csv
import pathlib

import pytest

from components.common.errors import ComponentError, ConfigError, DataError
from pipeline.cloud.rehearsal import workspace
from pipeline.cloud.rehearsal.workspace import Workspace, cut_sample, local_path
from tests.conftest import SAMPLE


def read_rows(path: pathlib.Path) -> list[list[str]]:
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.reader(file))


def test_root_is_refused_when_it_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'vertex').write_text('a file')
    with pytest.raises(ConfigError, match='cannot write to the root'):
        Workspace(root=tmp_path, target='vertex').start_run()


@pytest.mark.parametrize('uri', ['/minio/bucket/data', 'http://bucket/data', 'data'])
def test_uri_is_refused_when_kubeflow_has_no_folder_for_it(uri: str) -> None:
    with pytest.raises(ComponentError, match='failed to generate local path for URI'):
        local_path(uri)


def test_sample_is_cut_again_only_when_the_file_differs(tmp_path: pathlib.Path) -> None:
    path = cut_sample(tmp_path / 'new', rows=20)
    assert read_rows(path) == read_rows(SAMPLE / 'reviews.csv')[:21]
    before = path.stat()
    after = cut_sample(tmp_path / 'new', rows=20).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    path.write_text('text,label\n')
    assert len(read_rows(cut_sample(tmp_path / 'new', rows=20))) == 21
    assert [file.name for file in path.parent.iterdir()] == ['reviews.csv']


def test_error_names_the_sample_when_it_is_missing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, '_SAMPLE', tmp_path / 'nothing.csv')
    with pytest.raises(DataError, match='the sample data cannot be read'):
        cut_sample(tmp_path)
