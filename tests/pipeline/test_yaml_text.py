from __future__ import annotations

import itertools
import pathlib
import time

import pytest

from components.errors import ConfigError
from pipeline.config import load_config
from pipeline.yaml_text import parse_yaml


def bomb(levels: int) -> str:
    """Write a document in which each line stands for nine times what the line before does."""
    names = 'abcdefghijklmnopqrst'[:levels]
    lines = [f'{names[0]}: &{names[0]} [x, x, x, x, x, x, x, x, x]']
    for before, name in itertools.pairwise(names):
        lines.append(f'{name}: &{name} [{", ".join([f"*{before}"] * 9)}]')
    return '\n'.join(lines)


def test_values_are_plain_when_it_is_yaml() -> None:
    assert parse_yaml('a: [1, 2.5, yes, null, text]\nb: &b {c: d}\ne: *b') == {
        'a': [1, 2.5, True, None, 'text'],
        'b': {'c': 'd'},
        'e': {'c': 'd'},
    }
    assert parse_yaml('') is None
    assert parse_yaml('7') == 7


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        (bomb(5), r'at most 10,000 values, got [\d,]+ with its aliases'),
        (bomb(20), r'at most 10,000 values, got more than 10\^12 with its aliases'),
        ('a: &a [*a]', 'an alias stands for what it is part of'),
        ('[' * 100_000, 'nested too deeply'),
        ('x' * 1_100_000, r'at most 1,048,576 characters, got 1,100,000'),
        ('[1, 2', 'expected'),
        ('a: *b', 'undefined alias'),
        ('!!python/object/apply:os.system ["touch pwned"]', 'could not determine a constructor'),
        ('!!python/name:os.system', 'could not determine a constructor'),
        ('a: 1\n---\nb: 2', 'expected a single document'),
        ('\x00', 'special characters are not allowed'),
    ],
)
def test_it_is_refused_when_it_is_more_than_settings_can_be(text: str, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=told) as found:
        parse_yaml(text)
    assert '\n' not in str(found.value)
    assert time.monotonic() - began < 10


def test_one_line_and_the_file_when_a_configuration_is_a_bomb(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'a.yaml'
    path.write_text(bomb(9))
    with pytest.raises(ConfigError, match=rf'cannot read the configuration {path}: expected at'):
        load_config(preset='ngram', file=path)


def test_one_line_and_the_setting_when_a_value_is_a_bomb() -> None:
    value = '[&a [x,x,x,x,x,x,x,x,x,x],' + ','.join(
        f'&{new} [{",".join([f"*{old}"] * 10)}]' for old, new in zip('abcdef', 'bcdefg')
    )
    with pytest.raises(ConfigError, match=r'the value of gate\.slices is not YAML .*aliases'):
        load_config(preset='ngram', settings=[f'gate.slices={value}]'])
