"""What an Evaluation artifact says of the model that was blessed."""

from __future__ import annotations

from typing import NamedTuple

from components.evaluator.config import bounds_of
from components.evaluator.results import read_eval_config, read_metrics

OVERALL = ''

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
    for found in read_metrics(evaluation_uri):
        where = ', '.join(value for _, value in found.where)
        if found.value is None:
            continue
        if not found.of_baseline:
            slices.setdefault(where, {})[found.name] = found.value
        elif where == OVERALL:
            baseline = {**(baseline or {}), found.name: found.value}
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
