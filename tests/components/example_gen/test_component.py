from __future__ import annotations

import pathlib

import pytest

from components.common.settings import ColumnSettings
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover


def input_fingerprint(data: pathlib.Path) -> str:
    """Return what the node's driver makes the cache key of the data."""
    node = make_example_gen(discover(str(data), ColumnSettings()), ColumnSettings())
    resolved = node.DRIVER_CLASS(None).resolve_exec_properties(
        dict(node.exec_properties), None, None
    )
    fingerprint = resolved['input_fingerprint']
    assert isinstance(fingerprint, str)
    return fingerprint


@pytest.mark.parametrize('folder', ['data', 'data [1]'])
def test_cache_key_changes_when_a_file_does(folder: str, tmp_path: pathlib.Path) -> None:
    data = tmp_path / folder
    data.mkdir()
    for name in ('train.csv', 'test.csv'):
        (data / name).write_bytes(b'text,label\nFine.,pos\n')
    before = input_fingerprint(data)
    assert before == input_fingerprint(data)
    with (data / 'test.csv').open('ab') as file:
        file.write(b'Bad.,neg\n')
    assert input_fingerprint(data) != before
