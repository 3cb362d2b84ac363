"""Writes settings as YAML, with their descriptions as comments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.common.settings import Settings

_COMMENTS_START = 34
_WIDTH = 100
_HEADER = (
    'All settings; null means that a setting has no value. To change a setting, write it to a file',
    'and pass --config FILE, or pass its full name with --set, for example --set trainer.seed=5.',
)


def text_of(settings: Settings) -> str:
    """Return all settings as YAML, which loads as their `model_dump`.

    The comment of a section is the docstring of its class, up to its example:

        trainer:                          # The model and how it is trained.
          seed: 1                         # seed of initial weights, dropout and …
    """
    lines = [*(f'# {line}' for line in _HEADER), *_section(settings, '')]
    return '\n'.join(lines) + '\n'


def _section(settings: Settings, indent: str) -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        described = type(value).__doc__ or '' if isinstance(value, Settings) else ''
        comment = field.description or described.partition('Example:')[0]
        yield from _setting(name, value, indent, comment)


def _setting(name: str, value: Any, indent: str, description: str) -> Iterator[str]:
    if isinstance(value, Settings):
        yield from _commented(f'{indent}{_inline(name)}:', description)
        yield from _section(value, f'{indent}  ')
    elif isinstance(value, Mapping) and value:
        yield from _commented(f'{indent}{_inline(name)}:', description)
        for key, part in value.items():
            yield from _setting(key, part, f'{indent}  ', '')
    elif isinstance(value, tuple) and any(isinstance(part, Settings) for part in value):
        yield from _commented(f'{indent}{_inline(name)}:', description)
        for part in value:
            first, *others = _section(part, f'{indent}  ')
            yield f'{indent}- {first.lstrip()}'
            yield from others
    else:
        yield from _commented(f'{indent}{_inline(name)}: {_inline(value)}', description)


def _inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    for style in (None, '"'):
        text = yaml.safe_dump(
            value, default_flow_style=True, default_style=style, width=float('inf')
        )
        text = text.removesuffix('\n').removesuffix('\n...')
        if '\n' not in text:
            break
    return text


def _commented(line: str, description: str) -> Iterator[str]:
    width = _WIDTH - _COMMENTS_START - len('# ')
    comments = textwrap.wrap(' '.join(description.split()), width, break_on_hyphens=False)
    if not comments or len(line) > _COMMENTS_START - 2:
        yield line
    else:
        yield f'{line:<{_COMMENTS_START}}# {comments.pop(0)}'
    for comment in comments:
        yield f'{"":<{_COMMENTS_START}}# {comment}'
