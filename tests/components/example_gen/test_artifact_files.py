"""Tests of the functions that list the files of an artifact."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from components.example_gen.artifact_files import (
    origin_files,
    published_files,
    reject_files,
    sizes_of,
    split_files,
)

SHARDS = ('Split-test/data-0', 'Split-test/data-1', 'Split-train/data-0')
REJECTS = ('report/rejects-0.jsonl', 'report/rejects-1.jsonl')
ORIGINS = (
    'report/origins-test-00000-of-00002.txt.gz',
    'report/origins-test-00001-of-00002.txt.gz',
    'report/origins-train-00000-of-00001.txt.gz',
)
# A pattern that matches the folder beside it, and one that does not even match itself.
NAMES = ('a?', 'a[1]', 'a\\b')


def write(uri: str) -> None:
    for name in (
        *SHARDS,
        *REJECTS,
        *ORIGINS,
        'summary.json',
        'report/page.html',
        '.unfinished/data-0',
    ):
        path = f'{uri}/{name}'
        tf.io.gfile.makedirs(path.rpartition('/')[0])
        with tf.io.gfile.GFile(path, 'wb') as file:
            file.write(b'xy')


@pytest.mark.parametrize('name', ['plain', *NAMES])
@pytest.mark.parametrize('store', ['', 'ram:/'])
def test_only_files_of_the_folder_are_listed_when_its_name_is_a_pattern(
    name: str, store: str, tmp_path: pathlib.Path
) -> None:
    for folder in (name, 'a1', 'ab'):
        write(f'{store}{tmp_path}/{folder}')
    uri = f'{store}{tmp_path}/{name}'
    assert published_files(uri) == [f'{uri}/{path}' for path in (*SHARDS, *REJECTS, *ORIGINS)]
    assert origin_files(uri, 'test') == [f'{uri}/{path}' for path in ORIGINS[:2]]
    assert split_files(uri, 'test') == [f'{uri}/{path}' for path in SHARDS[:2]]
    assert reject_files(uri) == [f'{uri}/{path}' for path in REJECTS]


def test_no_files_are_listed_when_the_folder_does_not_exist(tmp_path: pathlib.Path) -> None:
    assert published_files(f'{tmp_path}/none') == []
    assert split_files(str(tmp_path), 'test') == []


def test_size_is_zero_when_a_file_does_not_exist(tmp_path: pathlib.Path) -> None:
    for size in (3, 1):
        (tmp_path / str(size)).write_bytes(b'x' * size)
    assert sizes_of(f'{tmp_path}/{name}' for name in ('3', 'gone', '1')) == [3, 0, 1]
