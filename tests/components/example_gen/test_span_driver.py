"""ExampleGen's drivers find the spans among files on the disk."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen import span_hook
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover

ROW = b'text,label\nFine.,pos\n'


@pytest.fixture(params=['data', 'data [1]'])
def data(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / str(request.param)
    for name in ('span-7/v-1', 'span-8/v-1', 'span-8/v-2', 'span-9/v-1'):
        arrive(folder, name)
    return folder


def arrive(data: pathlib.Path, name: str) -> pathlib.Path:
    file = data / name / 'reviews.csv'
    file.parent.mkdir(parents=True)
    file.write_bytes(ROW)
    return file


def resolve(data: pathlib.Path, spans: int = 2) -> dict[str, Any]:
    """Run the driver as the local runner does, as far as the cache key depends on it."""
    source = discover(
        f'{data}/span-{{SPAN}}/v-{{VERSION}}/reviews.csv', ColumnSettings(), spans=spans
    )
    node = make_example_gen(source, ColumnSettings())
    found: dict[str, Any] = node.DRIVER_CLASS(None).resolve_exec_properties(
        dict(node.exec_properties), None, None
    )
    return found


def patterns(found: dict[str, Any]) -> list[str]:
    return [split['pattern'] for split in json.loads(found['input_config'])['splits']]


def test_newest_version_of_the_newest_spans_is_read(data: pathlib.Path) -> None:
    found = resolve(data)
    assert patterns(found) == ['span-8/v-2/reviews.csv', 'span-9/v-1/reviews.csv']
    assert (found['span'], found['version'], found['spans']) == (9, 1, 'spans 8 to 9')
    assert found['input_fingerprint'].count('num_files:1,') == 2


def test_one_span_is_read_unless_more_are_asked_for(data: pathlib.Path) -> None:
    found = resolve(data, spans=1)
    assert patterns(found) == ['span-9/v-1/reviews.csv']
    assert found['spans'] == 'span 9, version 1'


@pytest.mark.parametrize('change', ['span-10/v-1', 'span-8/v-3', 'edited'])
def test_cache_key_is_another_when_the_window_changes(change: str, data: pathlib.Path) -> None:
    before = resolve(data)
    if change == 'edited':
        # The older one of the two.
        (data / 'span-8/v-2/reviews.csv').write_bytes(ROW + b'Bad.,neg\n')
    else:
        arrive(data, change)
    assert resolve(data) != before


@pytest.mark.parametrize('change', ['span-6/v-1', 'span-7/v-2', 'edited', 'none'])
def test_cache_key_is_the_same_when_nothing_new_is_in_the_window(
    change: str, data: pathlib.Path
) -> None:
    before = resolve(data)
    if change == 'edited':
        (data / 'span-8/v-1/reviews.csv').write_bytes(ROW + b'Bad.,neg\n')
    elif change != 'none':
        arrive(data, change)
    assert resolve(data) == before


def test_run_stops_when_the_spans_are_gone(data: pathlib.Path) -> None:
    source = discover(f'{data}/span-{{SPAN}}/v-{{VERSION}}/*.csv', ColumnSettings())
    node = make_example_gen(source, ColumnSettings())
    data.rename(data.with_name('gone'))
    with pytest.raises(DataError, match=r'no file matches span-\{SPAN\}'):
        node.DRIVER_CLASS(None).resolve_exec_properties(dict(node.exec_properties), None, None)


def test_step_stays_as_it_is_when_it_names_no_span() -> None:
    step = {'inputs': {'parameterValues': {'input_base': 'gs://b', 'input_config': '{}'}}}
    assert span_hook.resolve(step) == (step, None)


@pytest.mark.parametrize('prefix', ['custom:', ''])
def test_spans_have_the_property_names_of_tfx_when_a_service_runs_the_driver(
    prefix: str, data: pathlib.Path
) -> None:
    node = make_example_gen(
        discover(f'{data}/span-{{SPAN}}/v-{{VERSION}}/*.csv', ColumnSettings()), ColumnSettings()
    )
    parameters = {key: value for key, value in node.exec_properties.items() if value is not None}
    step, window = span_hook.resolve({'inputs': {'parameterValues': parameters}})
    assert window is not None
    given = step['inputs']['parameterValues']
    assert 'range_config' not in given
    assert patterns(given) == ['span-9/v-1/*.csv']
    # Of which TFX's driver knows no more than that it is a file.
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
