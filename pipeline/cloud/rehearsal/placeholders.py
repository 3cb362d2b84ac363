"""What `{{$…}}` in the command of a container stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.objects import local_path

_PLACEHOLDER = re.compile(r'\{\{\$.*?\}\}')
_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(?P<name>[^']+)'\]\}\}")
_URI_OR_PATH = re.compile(
    r"\{\{\$\.(?P<side>inputs|outputs)\.artifacts\['(?P<name>[^']+)'\]\.(?P<what>uri|path)\}\}"
)
_PARAMETER_FILE = re.compile(r"\{\{\$\.outputs\.parameters\['(?P<name>[^']+)'\]\.output_file\}\}")


def fill_in(what: str, word: str, executor_input: Mapping[str, Any]) -> str:
    """Replace the placeholders in a word of a command.

    Args:
        what: Whose command it is, for the message.
        word: Of the command.
        executor_input: What the placeholders stand for.

    Raises:
        ComponentError: If the service would leave one as it is.
    """

    def value(match: re.Match[str]) -> str:
        placeholder = match[0]
        found = _placeholder(placeholder, executor_input)
        if found is None:
            raise ComponentError(
                f'{what}: nothing is known for the placeholder {placeholder}',
                hint='expected {{$}}, or an input or output that the component declares',
            )
        return found

    return _PLACEHOLDER.sub(value, word)


def _placeholder(placeholder: str, executor_input: Mapping[str, Any]) -> str | None:
    if placeholder == '{{$}}':
        return json.dumps(executor_input, sort_keys=True)
    inputs, outputs = executor_input['inputs'], executor_input['outputs']
    if placeholder in ('{{$.outputs.output_file}}', '{{$.outputs.outputFile}}'):
        return str(outputs['outputFile'])
    match = _PARAMETER.fullmatch(placeholder)
    if match:
        value = inputs['parameterValues'].get(match['name'])
        return None if value is None else as_text(value)
    match = _URI_OR_PATH.fullmatch(placeholder)
    if match:
        found = executor_input[match['side']]['artifacts'].get(match['name'])
        return None if found is None else _where(found['artifacts'][0]['uri'], match['what'])
    match = _PARAMETER_FILE.fullmatch(placeholder)
    if match:
        file = outputs.get('parameters', {}).get(match['name'])
        return None if file is None else str(file['outputFile'])
    return None


def _where(uri: str, what: str) -> str:
    return uri if what == 'uri' or '://' not in uri else f'/{local_path(uri)}'


def as_text(value: Any) -> str:
    """Return a parameter's value as the services write it into a command line.

    >>> as_text(3.0), as_text('three'), as_text([3])
    ('3', 'three', '[3]')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)
