"""Reads an Evaluation artifact: the metrics and the result of each bound."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from components.common import features
from components.evaluator.eval_config import BASELINE_HINT, Bound, bounds_of
from components.evaluator.gate import read_eval_config, read_metrics
from components.evaluator.metric_table import BASELINE_PREFIX, Check

Metrics = dict[str, float | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The metrics of the candidate and the baseline, and the bounds of the gate.

    Attributes:
        metrics: Metrics of the candidate on the whole test split, by name; None is NaN.
        slices: The same by slice, for example `length=11-50`.
        baseline: Metrics of the baseline on the whole test split, None without a baseline.
        bounds: The bounds that the candidate was judged by.

    Example:
        evaluation = read_evaluation(artifact.uri)
        failed = [check for check in evaluation.checks() if not check.passed]
    """

    metrics: Metrics
    slices: dict[str, Metrics]
    baseline: Metrics | None
    bounds: tuple[Bound, ...]

    def checks(self) -> tuple[Check, ...]:
        """Return the result of each bound."""
        return tuple(check for bound in self.bounds for check in self._checks_of(bound))

    def _checks_of(self, bound: Bound) -> Iterator[Check]:
        where = f'{features.LENGTH_KEY}={bound.slice}' if bound.slice else ''
        metrics = self.slices.get(where, {}) if where else self.metrics
        if bound.of_baseline:
            metrics = self.baseline or {}
        value = metrics.get(bound.metric)
        if bound.lowest is not None:
            yield Check(
                metric=f'{BASELINE_PREFIX}{bound.metric}' if bound.of_baseline else bound.metric,
                slice=where,
                value=value,
                bound=f'>= {bound.lowest:.4f}',
                passed=bound.holds(value),
                hint=BASELINE_HINT if bound.of_baseline else '',
            )
        if bound.least_change is not None and self.baseline is not None:
            # A comparison with NaN is false, so the check does not pass.
            base = self.baseline.get(bound.metric)
            base = math.nan if base is None else base
            yield Check(
                metric=bound.metric,
                slice=where,
                value=value,
                bound=f'>= {base + bound.least_change:.4f} (baseline)',
                passed=value is not None and value - base >= bound.least_change,
            )


def read_evaluation(uri: str) -> Evaluation:
    """Read an Evaluation artifact.

    Args:
        uri: Folder of the artifact.
    """
    # A run may override the bounds in the settings, so read them from the artifact.
    config = read_eval_config(uri)
    has_baseline = any(spec.is_baseline for spec in config.model_specs)
    slices: dict[str, Metrics] = {}
    baseline: Metrics = {}
    for found in read_metrics(uri):
        where = ', '.join(f'{column}={value}' for column, value in found.where)
        if not found.of_baseline:
            slices.setdefault(where, {})[found.name] = found.value
        elif not where:
            baseline[found.name] = found.value
    return Evaluation(
        metrics=slices.pop('', {}),
        slices=slices,
        baseline=baseline if has_baseline else None,
        bounds=tuple(bounds_of(config)),
    )
