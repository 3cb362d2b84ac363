from __future__ import annotations

import pathlib

import pytest

from components.common.settings import ColumnSettings
from components.example_gen.batches import SourceKind
from components.example_gen.component import make_example_gen
from components.example_gen.executor import Executor, parse_custom_config
from components.example_gen.sources import DataSource, discover


def input_fingerprint(data: pathlib.Path) -> str:
    """Return what the node's driver makes the cache key of the data."""
    node = make_example_gen(discover(str(data), ColumnSettings()), ColumnSettings())
    resolved = node.DRIVER_CLASS(None).resolve_exec_properties(
        dict(node.exec_properties), None, None
    )
    fingerprint = resolved['input_fingerprint']
    assert isinstance(fingerprint, str)
    return fingerprint


@pytest.mark.parametrize('kind', SourceKind)
@pytest.mark.parametrize(
    'columns',
    [
        ColumnSettings(),
        ColumnSettings(
            text_column='Text, "quoted"',
            label_column='ラベル',
            split_column='fold',
            positive_label='1',
            test_percent=1,
            val_percent=80,
            max_rejected_percent=0.1,
        ),
    ],
)
def test_executor_gets_the_settings_when_they_pass_through_the_node(
    kind: SourceKind, columns: ColumnSettings
) -> None:
    source = DataSource(kind=kind, base='/data', patterns=(('all', 'a.csv'),))
    node = make_example_gen(source, columns)
    assert parse_custom_config(node.exec_properties) == (kind, columns, 256 << 20)
    assert node.id == 'ExampleGen'
    assert node.executor_spec.executor_class is Executor


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
