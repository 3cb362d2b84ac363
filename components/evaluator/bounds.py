"""Bounds on metrics: which a metric can have, and between which values."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import NamedTuple

import pydantic

from components.common.settings import Settings
from components.evaluator.metric_table import ACCURACY, EXAMPLE_COUNT

# The name of the accuracy in the settings and in texts.
_ALIASES = {'accuracy': ACCURACY}


class Limits(NamedTuple):
    """The bounds that a metric can have.

    Attributes:
        fields: Names of the fields of `Bound`.
        highest: Largest value of the metric; the smallest is 0.
    """

    fields: tuple[str, ...]
    highest: float = 1.0


_HIGHER_IS_BETTER = Limits(('min', 'max_drop'))
_LIMITS = {
    ACCURACY: _HIGHER_IS_BETTER,
    'balanced_accuracy': _HIGHER_IS_BETTER,
    'loss': Limits(('max', 'max_rise'), math.inf),
    'auc': _HIGHER_IS_BETTER,
    'auc_precision_recall': _HIGHER_IS_BETTER,
    'precision': _HIGHER_IS_BETTER,
    'recall': _HIGHER_IS_BETTER,
    'f1': _HIGHER_IS_BETTER,
    'specificity': _HIGHER_IS_BETTER,
    # 1 is best, so neither a higher nor a lower value is a drop.
    'calibration': Limits(('min', 'max'), math.inf),
    'expected_calibration_error': Limits(('max', 'max_rise')),
    EXAMPLE_COUNT: Limits(('min',), math.inf),
}


class Bound(Settings):
    """The bounds of one metric; each is inclusive.

    Example:
        >>> Bound(min=0.7, max_drop=0.02).model_dump()
        {'min': 0.7, 'max_drop': 0.02}
    """

    min: float | None = pydantic.Field(None, description='lowest value')
    max: float | None = pydantic.Field(None, description='highest value')
    max_drop: float | None = pydantic.Field(
        None, description='largest amount by which the value may be below that of the baseline'
    )
    max_rise: float | None = pydantic.Field(
        None, description='largest amount by which the value may be above that of the baseline'
    )

    @pydantic.model_serializer
    def _without_none(self) -> dict[str, float]:
        return self.fields()

    def fields(self) -> dict[str, float]:
        """Return the bounds that are set, by the name of the field."""
        return {name: value for name, value in self if value is not None}


def metric_of(name: str) -> str:
    """Return the name of a metric in TFMA's files for its name in the settings.

    >>> metric_of('accuracy'), metric_of('recall')
    ('binary_accuracy', 'recall')
    """
    return _ALIASES.get(name, name)


def limits_of(metric: str) -> Limits:
    """Return the bounds that a metric can have, by its name in `METRICS`."""
    return _LIMITS[metric]


def check_bounds(bounds: Mapping[str, Bound]) -> dict[str, Bound]:
    """Check that each bound fits its metric.

    Args:
        bounds: By name of the metric in the settings.

    Returns:
        The bounds by name of the metric in `METRICS`.

    Raises:
        ValueError: If a metric is unknown or named twice, or a bound is missing, out of
            range, or on the side where values are better.

    Example:
        >>> check_bounds({'loss': Bound(min=0.1)})
        Traceback (most recent call last):
          ...
        ValueError: 'loss' has no bound min: expected one of max, max_rise
    """
    found: dict[str, Bound] = {}
    for name, bound in bounds.items():
        metric = metric_of(name)
        if metric not in _LIMITS:
            known = [*_ALIASES, *(metric for metric in _LIMITS if metric != ACCURACY)]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f'did you mean {close[0]}?' if close else f'the metrics are {", ".join(known)}'
            raise ValueError(f'there is no metric {name!r}: {hint}')
        if metric in found:
            raise ValueError(f'the metric {name!r} is named twice')
        _check(name, bound, _LIMITS[metric])
        found[metric] = bound
    return found


def _check(name: str, bound: Bound, limits: Limits) -> None:
    given = bound.fields()
    if not given:
        raise ValueError(f'{name!r} has no bound: expected one of {", ".join(limits.fields)}')
    for field, value in given.items():
        if field not in limits.fields:
            raise ValueError(
                f'{name!r} has no bound {field}: expected one of {", ".join(limits.fields)}'
            )
        # A lowest value of 0, or a highest of 1 or drop of 1 of a share, cannot be missed.
        least, most = ('(0', ']') if field == 'min' else ('[0', ')')
        in_range = 0 < value <= limits.highest if field == 'min' else 0 <= value < limits.highest
        if not in_range:
            end = 'infinity)' if math.isinf(limits.highest) else f'{limits.highest:g}{most}'
            raise ValueError(f'{name!r}: expected {field} in {least}, {end}')
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        raise ValueError(f'{name!r}: expected min below max')
