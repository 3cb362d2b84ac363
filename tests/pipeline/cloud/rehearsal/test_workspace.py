"""All files of rehearsals are below one folder; the sample is cut once."""

from __future__ import annotations

import csv
import pathlib

import pytest

from components.common.errors import ConfigError, DataError
from pipeline.cloud.rehearsal.workspace import Workspace, cut_sample
from tests.conftest import SAMPLE


def read_rows(path: pathlib.Path) -> list[list[str]]:
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.reader(file))


def test_run_ids_are_unique(tmp_path: pathlib.Path) -> None:
    workspace = Workspace(root=tmp_path, target='vertex')
    assert len({workspace.start_run() for _ in range(3)}) == 3


def test_targets_share_no_folder(tmp_path: pathlib.Path) -> None:
    vertex = Workspace(root=tmp_path, target='vertex')
    kubeflow = Workspace(root=tmp_path, target='kubeflow')
    assert vertex.folder != kubeflow.folder
    for workspace in (vertex, kubeflow):
        paths = (
            workspace.objects,
            workspace.bucket,
            workspace.cache('toy'),
            workspace.serving_dir('toy'),
            workspace.log('r', 'First'),
            workspace.run_log('r'),
            workspace.step_folder('r', 'First'),
        )
        assert all(path.is_relative_to(workspace.folder) for path in paths)
    assert kubeflow.pipeline_root.startswith('minio://')
    assert vertex.pipeline_root == str(vertex.bucket)


def test_root_is_refused_when_it_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'vertex').write_text('a file')
    with pytest.raises(ConfigError, match='cannot write to the root'):
        Workspace(root=tmp_path, target='vertex').start_run()


def test_sample_is_cut_again_only_when_the_file_differs(tmp_path: pathlib.Path) -> None:
    path = cut_sample(tmp_path / 'new', rows=20)
    assert read_rows(path) == read_rows(SAMPLE / 'reviews.csv')[:21]
    before = path.stat()
    after = cut_sample(tmp_path / 'new', rows=20).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    path.write_text('text,label\n')
    assert len(read_rows(cut_sample(tmp_path / 'new', rows=20))) == 21
    assert [file.name for file in path.parent.iterdir()] == ['reviews.csv']


def test_quoted_line_breaks_stay_in_their_row_when_the_sample_is_cut(
    tmp_path: pathlib.Path,
) -> None:
    source = tmp_path / 'source.csv'
    source.write_text('text,label\n"two\nlines",1\nb,0\nc,1\n')
    path = cut_sample(tmp_path / 'cut', source=source, rows=2)
    assert read_rows(path) == [['text', 'label'], ['two\nlines', '1'], ['b', '0']]


def test_missing_sample_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='the sample data cannot be read'):
        cut_sample(tmp_path, source=tmp_path / 'nothing.csv')
