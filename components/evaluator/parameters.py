"""The parameter of the Evaluator node that has the settings of the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from components.common.errors import ConfigError
from components.common.overrides import (
    GATE_OVERRIDES,
    SAFEGUARD_OVERRIDES,
    apply_overrides,
    setting_error,
)
from components.common.settings import FEATURE_TYPES, FeatureType, Settings
from components.evaluator.settings import GateSettings
from components.readers.feature_columns import parse_features

GATE_KEY = 'gate'
_HINT = 'set the bound, such as --set gate.min_auc=0.7; pipeline_runner.py config show prints all'


class GateParameter(Settings):
    """The settings of the gate, and the types of the feature columns of its slices.

    The path of a TFMA configuration is left out, because its content is a parameter of its own.
    """

    settings: GateSettings
    columns: dict[str, FeatureType]


def write_gate(gate: GateSettings, features: Iterable[str]) -> str:
    """Return the value of the parameter.

    Args:
        gate: The settings.
        features: The feature columns of the examples, as `NAME:TYPE` or `NAME`.

    Raises:
        ConfigError: If a slice is of an unknown column, or the type of a column is not declared.

    Example:
        >>> gate = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01, slices={'stars': 0.7})
        >>> GateParameter.model_validate_json(write_gate(gate, ['stars:int'])).columns
        {'stars': 'int'}
    """
    types = dict(parse_features(features))
    columns: dict[str, FeatureType] = {}
    for name in sorted(gate.slice_columns()):
        kind = types.get(name)
        if kind is None:
            what = 'has no type in' if name in types else 'is not one of'
            raise ConfigError(
                f'gate.slices: the column {name!r} {what} data.columns.features',
                hint=f'declare it: {name}:TYPE, with one of {", ".join(FEATURE_TYPES)}',
            )
        columns[name] = kind
    parameter = GateParameter(settings=gate, columns=columns)
    return parameter.model_dump_json(exclude={'settings': {'eval_config'}})


def read_gate(
    exec_properties: Mapping[str, Any], *, is_of_user: bool = False
) -> tuple[GateSettings, dict[str, FeatureType]]:
    """Read the settings, with the bounds that this run overrides, and the types of the columns.

    Args:
        exec_properties: The parameters of the node.
        is_of_user: Whether a TFMA configuration of the user's has all bounds but the safeguards.

    Raises:
        ConfigError: If a bound is missing or out of range.
    """
    try:
        found = GateParameter.model_validate_json(exec_properties.get(GATE_KEY) or '{}')
    except pydantic.ValidationError as err:
        raise setting_error(err, _HINT) from err
    names = SAFEGUARD_OVERRIDES if is_of_user else GATE_OVERRIDES
    return apply_overrides(found.settings, exec_properties, names), found.columns
