"""What the Evaluator found, read from its artifacts."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tfx.components.evaluator import constants

from components.common import features
from components.evaluator.config import ACCURACY, BASELINE_HINT, Bound, bounds_of
from components.evaluator.results import Measured, read_eval_config, read_metrics
from pipeline.results.artifacts import Artifacts, only
from pipeline.results.outcome import Check


class Evaluation:
    """What the Evaluator found: metrics by model and slice, and its verdict.

    Args:
        outputs: The Evaluator's.
    """

    def __init__(self, outputs: Artifacts) -> None:
        uri = only(outputs, 'evaluation').uri
        blessing = only(outputs, 'blessing')
        self.blessed: bool = (
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            == constants.BLESSED_VALUE
        )
        self.slices: dict[str, dict[str, float | None]] = {}
        # The bounds that it was judged by are kept with it; a run may have overridden settings.
        config = read_eval_config(uri)
        self._bounds = list(bounds_of(config))
        has_baseline = any(spec.is_baseline for spec in config.model_specs)
        self.baseline: dict[str, float | None] | None = {} if has_baseline else None
        for found in read_metrics(uri):
            self._add(found)
        self.metrics = self.slices.pop('', {})

    def _add(self, found: Measured) -> None:
        where = ', '.join(f'{column}={value}' for column, value in found.where)
        if not found.of_baseline:
            self.slices.setdefault(where, {})[found.name] = found.value
        elif not where:
            self.baseline = {**(self.baseline or {}), found.name: found.value}

    def told(self) -> str:
        """Say in one line what was found."""
        accuracy = self.metrics.get(ACCURACY)
        shown = 'missing' if accuracy is None else f'{accuracy:.4f}'
        return f'accuracy {shown}: {"blessed" if self.blessed else "NOT blessed"}'

    def checks(self) -> tuple[Check, ...]:
        """Return each bound with what was measured."""
        return tuple(check for bound in self._bounds for check in self._checks_of(bound))

    def _checks_of(self, bound: Bound) -> Iterator[Check]:
        if bound.of_baseline:
            of_baseline = (self.baseline or {}).get(bound.metric)
            yield _check(f'baseline_{bound.metric}', '', of_baseline, bound, hint=BASELINE_HINT)
            return
        where = f'{features.LENGTH_KEY}={bound.slice}' if bound.slice else ''
        value = (self.slices.get(where, {}) if where else self.metrics).get(bound.metric)
        yield _check(bound.metric, where, value, bound)
        if bound.least_change is not None and self.baseline is not None:
            base = self.baseline.get(bound.metric)
            base = math.nan if base is None else base
            # A comparison with NaN, on either side, is false: not passed.
            yield Check(
                metric=bound.metric,
                slice=where,
                value=value,
                bound=f'>= {base + bound.least_change:.4f} (baseline)',
                passed=value is not None and value - base >= bound.least_change,
            )


def _check(metric: str, where: str, value: float | None, bound: Bound, *, hint: str = '') -> Check:
    lowest = math.nan if bound.lowest is None else bound.lowest
    return Check(
        metric=metric,
        slice=where,
        value=value,
        bound=f'>= {lowest:.4f}',
        passed=bound.holds(value),
        hint=hint,
    )
