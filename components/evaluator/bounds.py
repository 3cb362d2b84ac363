"""Bounds on metrics: which a metric can have, and between which values."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import cast

import pydantic

from components.common.settings import Settings
from components.evaluator.metric_table import ACCURACY, METRICS, BoundKind, Metric

# The name of the accuracy in the settings and in texts.
_ALIASES = {'accuracy': ACCURACY}


_METRICS = {metric.name: metric for metric in METRICS if metric.bound_kinds}


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
    def _without_none(self) -> dict[BoundKind, float]:
        return self.fields()

    def fields(self) -> dict[BoundKind, float]:
        """Return the bounds that are set, by their kind."""
        return {cast(BoundKind, name): value for name, value in self if value is not None}


def metric_of(name: str) -> str:
    """Return the name of a metric in TFMA's files for its name in the settings.

    >>> metric_of('accuracy'), metric_of('recall')
    ('binary_accuracy', 'recall')
    """
    return _ALIASES.get(name, name)


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
        if metric not in _METRICS:
            known = [*_ALIASES, *(metric for metric in _METRICS if metric != ACCURACY)]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f'did you mean {close[0]}?' if close else f'the metrics are {", ".join(known)}'
            raise ValueError(f'there is no metric {name!r} to bound: {hint}')
        if metric in found:
            raise ValueError(f'the metric {name!r} is named twice')
        _check(name, bound, _METRICS[metric])
        found[metric] = bound
    return found


def _check(name: str, bound: Bound, metric: Metric) -> None:
    given, highest = bound.fields(), metric.highest
    kinds = ', '.join(metric.bound_kinds)
    if not given:
        raise ValueError(f'{name!r} has no bound: expected one of {kinds}')
    for kind, value in given.items():
        if kind not in metric.bound_kinds:
            raise ValueError(f'{name!r} has no bound {kind}: expected one of {kinds}')
        # A lowest value of 0, or a highest of 1 or drop of 1 of a share, cannot be missed.
        in_range = 0 < value <= highest if kind == 'min' else 0 <= value < highest
        if not in_range:
            start = '(' if kind == 'min' else '['
            end = ']' if kind == 'min' and highest == 1 else ')'
            most = 'infinity' if math.isinf(highest) else f'{highest:g}'
            raise ValueError(f'{name!r}: expected {kind} in {start}0, {most}{end}')
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        raise ValueError(f'{name!r}: expected min below max')
