"""What an Evaluation artifact says of the model that was blessed."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow_model_analysis as tfma

from components.evaluator.config import bounds_of
from components.evaluator.results import read_eval_config

OVERALL = ''
_CANDIDATE = ('', 'candidate')
_BASELINE = 'baseline'

Metrics = dict[str, float]


class Bounds(NamedTuple):
    """What the gate demanded of a metric.

    Attributes:
        lowest: At least this value.
        largest_drop: At most so far below the baseline; None where it is not
            compared.
        lowest_of_baseline: At least this value of the baseline; None where
            nothing is demanded of it.
    """

    lowest: float
    largest_drop: float | None = None
    lowest_of_baseline: float | None = None


class Judgement(NamedTuple):
    """Metrics and bounds.

    Attributes:
        slices: By slice of test, named by the value that it has in common, the
            metrics of the model by name; all of test is `OVERALL`.
        baseline: Of the model compared with, on all of test; None if none.
        bounds: By slice and name of the metric.
    """

    slices: dict[str, Metrics]
    baseline: Metrics | None
    bounds: dict[tuple[str, str], Bounds]


def read_judgement(evaluation_uri: str) -> Judgement:
    """Read the metrics and the bounds of an Evaluation artifact.

    Metrics that are NaN are left out.
    """
    slices: dict[str, Metrics] = {}
    baseline: Metrics | None = None
    for record in tfma.load_metrics(evaluation_uri):
        where = ', '.join(key.bytes_value.decode() for key in record.slice_key.single_slice_keys)
        for item in record.metric_keys_and_values:
            value = item.value.double_value.value
            if item.key.is_diff or not item.value.HasField('double_value') or math.isnan(value):
                continue
            if item.key.model_name in _CANDIDATE:
                slices.setdefault(where, {})[item.key.name] = value
            elif item.key.model_name == _BASELINE and where == OVERALL:
                baseline = {**(baseline or {}), item.key.name: value}
    return Judgement(slices, baseline, _bounds(evaluation_uri))


def _bounds(evaluation_uri: str) -> dict[tuple[str, str], Bounds]:
    found: dict[tuple[str, str], Bounds] = {}
    for bound in bounds_of(read_eval_config(evaluation_uri)):
        if bound.lowest is None:
            continue
        key = bound.slice, bound.metric
        if bound.of_baseline:
            found[key] = found[key]._replace(lowest_of_baseline=bound.lowest)
        else:
            drop = None if bound.least_change is None else -bound.least_change
            found[key] = Bounds(bound.lowest, drop)
    return found
