"""Settings that a run of a compiled pipeline may change.

A node carries each as one more execution parameter, named as the field of its
settings. So the value is part of the cache key of that node, and of no other.
A local run has none of them: there the settings themselves change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any, TypeVar

import pydantic

from components.common.errors import ConfigError
from components.common.secrets import mask
from components.common.settings import Settings

TRAINER_OVERRIDES = ('epochs', 'learning_rate', 'svm_cost', 'seed')
GATE_OVERRIDES = ('min_accuracy', 'max_accuracy_drop', 'min_auc', 'min_baseline_auc')

AnySettings = TypeVar('AnySettings', bound=Settings)


def overridden(
    settings: AnySettings, exec_properties: Mapping[str, Any], names: Sequence[str]
) -> AnySettings:
    """Return the settings with those fields replaced that the node was given.

    Args:
        settings: As compiled.
        exec_properties: Of the node.
        names: The fields that may be replaced.

    Raises:
        ConfigError: If a value is of another type, or out of range.

    Example:
        >>> from components.common.settings import TrainerSettings
        >>> overridden(TrainerSettings(epochs=10), {'epochs': 3}, ('epochs', 'seed')).epochs
        3
    """
    given = {name: exec_properties[name] for name in names if name in exec_properties}
    try:
        return type(settings).model_validate({**settings.model_dump(), **given})
    except pydantic.ValidationError as err:
        raise refusal(err, 'change the parameter of the run') from err


def refusal(err: pydantic.ValidationError, hint: str) -> ConfigError:
    """Return an error that names, in one line, the first setting that was refused."""
    first = err.errors()[0]
    name = '.'.join(str(part) for part in first['loc'])
    message = first['msg'].removeprefix('Value error, ')
    got = shorten(mask(repr(first['input'])), 200)
    return ConfigError(f'{name}: {message[:1].lower()}{message[1:]}, got {got}', hint=hint)
