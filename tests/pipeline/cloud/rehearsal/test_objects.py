"""A step of Kubeflow gets copies of its inputs, and its outputs are copied back."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.objects import ObjectStore, local_path

URI = 'minio://bucket/root/data'


@pytest.fixture
def store(tmp_path: pathlib.Path) -> ObjectStore:
    return ObjectStore(tmp_path / 'objects')


def test_what_a_step_left_is_what_the_next_finds(
    store: ObjectStore, tmp_path: pathlib.Path
) -> None:
    left = tmp_path / 'one' / 'minio' / 'bucket' / 'root' / 'data' / 'Split-train'
    left.mkdir(parents=True)
    (left / 'part').write_bytes(b'\0\1')
    store.upload(URI, tmp_path / 'one')
    (left / 'part').write_bytes(b'changed')
    store.download(URI, tmp_path / 'two')
    found = tmp_path / 'two' / 'minio' / 'bucket' / 'root' / 'data' / 'Split-train' / 'part'
    assert found.read_bytes() == b'\0\1'
    assert (store.path(URI) / 'Split-train' / 'part').read_bytes() == b'\0\1'


def test_a_single_file_is_copied_too(store: ObjectStore, tmp_path: pathlib.Path) -> None:
    left = tmp_path / 'one' / local_path(URI)
    left.parent.mkdir(parents=True)
    left.write_text('words')
    store.upload(URI, tmp_path / 'one')
    store.download(URI, tmp_path / 'two')
    assert (tmp_path / 'two' / local_path(URI)).read_text() == 'words'


def test_nothing_is_no_error_when_a_step_left_nothing(
    store: ObjectStore, tmp_path: pathlib.Path
) -> None:
    store.upload(URI, tmp_path / 'one')
    store.download(URI, tmp_path / 'two')
    assert not (tmp_path / 'two' / local_path(URI)).exists()


@pytest.mark.parametrize('uri', ['/minio/bucket/data', 'http://bucket/data', 'data'])
def test_a_place_that_is_not_mounted_is_an_error(uri: str) -> None:
    with pytest.raises(ComponentError, match='failed to generate local path for URI'):
        local_path(uri)
