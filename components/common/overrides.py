"""Settings that a run of a compiled pipeline can change.

A node has an execution parameter for each of them, with the name of the field in its
settings, so the value is part of the cache key of this node only. A local run has no
such parameters, because it changes the settings themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any, TypeVar

import pydantic

from components.common.errors import ConfigError
from components.common.secrets import mask
from components.common.settings import Settings

# The architecture of the model has further ones, see `run_time_settings`.
TRAINER_OVERRIDES = ('seed',)
# These hold for a TFMA configuration of the user's as well.
SAFEGUARD_OVERRIDES = ('min_baseline_auc', 'max_test_overlap_percent')
GATE_OVERRIDES = ('min_accuracy', 'max_accuracy_drop', 'min_auc', *SAFEGUARD_OVERRIDES)

AnySettings = TypeVar('AnySettings', bound=Settings)


def apply_overrides(
    settings: AnySettings, exec_properties: Mapping[str, Any], names: Sequence[str]
) -> AnySettings:
    """Return the settings with the fields replaced that the run overrides.

    Args:
        settings: The compiled settings.
        exec_properties: Execution parameters of the node.
        names: Names of the fields that a run can override.

    Raises:
        ConfigError: If a value has the wrong type, or is out of range.

    Example:
        >>> from components.common.settings import TextSettings
        >>> apply_overrides(TextSettings(), {'max_tokens': 9}, ('max_tokens',)).max_tokens
        9
    """
    overrides = {name: exec_properties[name] for name in names if name in exec_properties}
    try:
        return type(settings).model_validate({**settings.model_dump(), **overrides})
    except pydantic.ValidationError as err:
        raise setting_error(err, 'change the parameter of the run') from err


def setting_name(location: Sequence[str | int]) -> str:
    """Return the dotted name of the setting at a location of a validation error.

    >>> setting_name(('trainer', 'model', 'ngram', 'max_ngram'))
    'trainer.model.max_ngram'
    >>> setting_name(('model', 'ngram', 'max_ngram'))
    'model.max_ngram'
    >>> setting_name(('gate', 'slices', '1-10', 'number'))
    'gate.slices.1-10'
    """
    # In a union of architectures, pydantic puts the name of the chosen one after the field's.
    parts = list(map(str, location))
    if 'model' in parts[:-2]:
        del parts[parts.index('model') + 1]
    # And after a slice, whether it has a number or bounds by metric.
    if 'slices' in parts[:-2]:
        del parts[parts.index('slices') + 2]
    return '.'.join(parts)


def setting_error(err: pydantic.ValidationError, hint: str) -> ConfigError:
    """Return an error for the first setting that is invalid."""
    first = err.errors()[0]
    name, value, message = setting_name(first['loc']), first['input'], first['msg']
    if first['type'] == 'union_tag_invalid':
        context = first['ctx']
        name += f'.{context["discriminator"].strip(chr(39))}'
        value, message = context['tag'], f'expected one of {context["expected_tags"]}'
    message = message.removeprefix('Value error, ')
    got = shorten(mask(repr(value)), 200)
    return ConfigError(f'{name}: {message[:1].lower()}{message[1:]}, got {got}', hint=hint)
