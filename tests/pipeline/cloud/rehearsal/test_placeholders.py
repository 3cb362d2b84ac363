"""What a command asks for is filled in, or it does not run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.placeholders import as_text, fill_in

INPUT: dict[str, Any] = {
    'inputs': {
        'artifacts': {'data': {'artifacts': [{'uri': 'minio://b/data'}]}},
        'parameterValues': {'size': 3.0, 'words': 'two words', 'many': ['a']},
    },
    'outputs': {
        'artifacts': {'model': {'artifacts': [{'uri': '/a/model'}]}},
        'parameters': {'span': {'outputFile': '/tmp/span'}},
        'outputFile': '/tmp/out.json',
    },
}


def test_the_whole_input_is_json() -> None:
    assert json.loads(fill_in('First', '{{$}}', INPUT)) == INPUT


@pytest.mark.parametrize(
    ('word', 'filled'),
    [
        ('--plain={x}', '--plain={x}'),
        ("{{$.inputs.parameters['size']}}", '3'),
        ("--words={{$.inputs.parameters['words']}}!", '--words=two words!'),
        ("{{$.inputs.parameters['many']}}", '["a"]'),
        ("{{$.inputs.artifacts['data'].uri}}", 'minio://b/data'),
        ("{{$.inputs.artifacts['data'].path}}", '/minio/b/data'),
        ("{{$.outputs.artifacts['model'].uri}}", '/a/model'),
        ("{{$.outputs.artifacts['model'].path}}", '/a/model'),
        ("{{$.outputs.parameters['span'].output_file}}", '/tmp/span'),
        ('{{$.outputs.output_file}}', '/tmp/out.json'),
        ("{{$.inputs.parameters['size']}}-{{$.outputs.output_file}}", '3-/tmp/out.json'),
    ],
)
def test_a_placeholder_is_filled_in(word: str, filled: str) -> None:
    assert fill_in('First', word, INPUT) == filled


@pytest.mark.parametrize(
    'word',
    [
        "{{$.inputs.parameters['colour']}}",
        "{{$.inputs.artifacts['date'].uri}}",
        "{{$.outputs.parameters['model'].output_file}}",
        '{{$.pipeline_job_uuid}}',
    ],
)
def test_a_step_fails_when_nothing_is_known_for_a_placeholder(word: str) -> None:
    with pytest.raises(ComponentError, match='First: nothing is known for the placeholder') as err:
        fill_in('First', f'--x={word}', INPUT)
    assert word in str(err.value)


@pytest.mark.parametrize(('value', 'text'), [(3.5, '3.5'), (True, 'true'), ({'a': 1}, '{"a": 1}')])
def test_a_value_is_written_as_json(value: Any, text: str) -> None:
    assert as_text(value) == text
