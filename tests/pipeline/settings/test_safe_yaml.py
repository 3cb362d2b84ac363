from __future__ import annotations

import pathlib
import time

import pytest

from components.common.errors import ConfigError
from pipeline.settings.config import load_config
from pipeline.settings.safe_yaml import load_yaml

LAUGHS = 'a: &a {x: 1}\n' + ''.join(
    f'{name}: &{name} {{<<: [*{last}, *{last}], y: *{last}}}\n'
    for last, name in zip('abcdefghijklmnopqrstuvwxy', 'bcdefghijklmnopqrstuvwxyz')
)


def test_values_are_read_when_they_are_plain() -> None:
    assert load_yaml('a: [1, 2.5, null, yes, "x"]') == {'a': [1, 2.5, None, True, 'x']}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        pytest.param(LAUGHS, 'line 2, column 13: an alias', id='a billion laughs'),
        ('a: &a {b: *a}', 'line 1, column 11: an alias'),
        pytest.param('[' * 100_000, 'line 1, column 51: more than 50 levels', id='deep'),
        pytest.param('a' * 2_000_000, 'more than 1,048,576 characters', id='long'),
        ('a: b: c', 'line 1, column 5: mapping values are not allowed here'),
        ('!!python/object/apply:os.system [ls]', 'line 1, column 1: could not determine'),
        ('!!timestamp soon', 'not have the type of its tag'),
        ('!!bool perhaps', 'not have the type of its tag'),
        ('!!int ""', 'not have the type of its tag'),
        ('2026-99-99', 'month must be in 1..12'),
        ('\0', 'unacceptable character'),
        pytest.param('9' * 5_000, 'Exceeds the limit', id='huge number'),
    ],
)
def test_error_is_one_line_when_a_file_is_no_plain_yaml(
    text: str, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'a.yaml'
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(preset='ngram', file=path, flags={'data.path': 'a.csv'})
    assert time.process_time() - began < 5
    assert str(caught.value).isprintable()
    with pytest.raises(ConfigError, match='expected YAML'):
        load_config(preset='ngram', settings=[f'data.path={text}'])
