"""Tests of the drivers of ExampleGen, which look for spans on the disk."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from tfx.components.example_gen.component import FileBasedExampleGen

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen import span_hook
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover
from tests.components.example_gen.test_executor import resolve

ROW = b'text,label\nFine.,pos\n'


@pytest.fixture(params=['data', 'data [1]'])
def data(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / str(request.param)
    for name in ('span-7/v-1', 'span-8/v-1', 'span-8/v-2', 'span-9/v-1'):
        add_table(folder, name)
    return folder


def add_table(data: pathlib.Path, name: str) -> None:
    file = data / name / 'reviews.csv'
    file.parent.mkdir(parents=True)
    file.write_bytes(ROW)


def make_node(
    data: pathlib.Path, spans: int = 1, files: str = 'reviews.csv'
) -> FileBasedExampleGen:
    pattern = f'{data}/span-{{SPAN}}/v-{{VERSION}}/{files}'
    return make_example_gen(discover(pattern, ColumnSettings(), spans=spans), ColumnSettings())


def patterns(found: dict[str, Any]) -> list[str]:
    return [split['pattern'] for split in json.loads(found['input_config'])['splits']]


def test_newest_versions_of_the_newest_spans_are_read_when_a_number_is_set(
    data: pathlib.Path,
) -> None:
    found = resolve(make_node(data, spans=2))
    assert patterns(found) == ['span-8/v-2/reviews.csv', 'span-9/v-1/reviews.csv']
    assert (found['span'], found['version'], found['spans']) == (9, 1, 'spans 8 to 9')
    assert found['input_fingerprint'].count('num_files:1,') == 2
    found = resolve(make_node(data))
    assert patterns(found) == ['span-9/v-1/reviews.csv']
    assert found['spans'] == 'span 9, version 1'


@pytest.mark.parametrize(
    ('edited', 'added', 'changes'),
    [
        (None, 'span-10/v-1', True),
        (None, 'span-8/v-3', True),
        ('span-8/v-2', None, True),  # the older one of the two that are read
        (None, 'span-6/v-1', False),
        (None, 'span-7/v-2', False),
        ('span-8/v-1', None, False),
        (None, None, False),
    ],
)
def test_cache_key_changes_when_a_file_that_is_read_changes(
    edited: str | None, added: str | None, changes: bool, data: pathlib.Path
) -> None:
    before = resolve(make_node(data, spans=2))
    if edited:
        (data / edited / 'reviews.csv').write_bytes(ROW + b'Bad.,neg\n')
    if added:
        add_table(data, added)
    assert (resolve(make_node(data, spans=2)) != before) == changes


def test_driver_fails_when_the_spans_were_removed(data: pathlib.Path) -> None:
    node = make_node(data, files='*.csv')
    data.rename(data.with_name('gone'))
    with pytest.raises(DataError, match=r'no file matches span-\{SPAN\}'):
        resolve(node)


def test_step_is_unchanged_when_it_names_no_span() -> None:
    step = {'inputs': {'parameterValues': {'input_base': 'gs://b', 'input_config': '{}'}}}
    assert span_hook.resolve(step) == (step, None)


@pytest.mark.parametrize('prefix', ['custom:', ''])
def test_spans_are_recorded_as_in_tfx_when_a_service_runs_the_driver(
    prefix: str, data: pathlib.Path
) -> None:
    properties = make_node(data, files='*.csv').exec_properties
    parameters = {key: value for key, value in properties.items() if value is not None}
    step, window = span_hook.resolve({'inputs': {'parameterValues': parameters}})
    assert window is not None
    given = step['inputs']['parameterValues']
    assert 'range_config' not in given
    assert patterns(given) == ['span-9/v-1/*.csv']
    # TFX's driver does not know the span.
    found: dict[str, Any] = {
        'parameterValues': {'span': 0, 'input_fingerprint': 'x'},
        'artifacts': {'examples': {'artifacts': [{'metadata': {f'{prefix}span': 0}}]}},
    }
    span_hook.add_spans(found, window)
    assert found['parameterValues'] == {'span': 9, 'version': 1, 'input_fingerprint': 'x'}
    (examples,) = found['artifacts']['examples']['artifacts']
    assert examples['metadata'] == {
        f'{prefix}span': 9,
        f'{prefix}version': 1,
        'spans': 'span 9, version 1',
    }
