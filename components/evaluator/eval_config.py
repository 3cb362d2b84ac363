"""Converts the settings of the gate to TFMA's configuration and back.

TFMA's configuration is passed to the Evaluator and stored with the evaluation,
so the bounds are written into it and read from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pydantic
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.errors import ConfigError
from components.common.overrides import setting_error
from components.evaluator.metric_table import ACCURACY, AUC, METRICS, TEST_OVERLAP
from components.evaluator.metrics import TotalsMetric
from components.evaluator.settings import GateSettings

# 0.88 - 0.90 is a little less than -0.02 in floating point; a drop of just 0.02 is allowed.
_ROUNDING = 1e-9
# What to do if the baseline ranks the texts worse than chance.
BASELINE_HINT = (
    'the baseline ranks the texts of this test split worse than the bound: the labels may be '
    'swapped, or the data is of another kind; check the labels, and if they are right, pass '
    'another --name, or pass --set gate.min_baseline_auc=0 for one run'
)
# What to do if too many texts of test are in train or val.
OVERLAP_HINT = (
    'the model may know these texts, so the metrics on test may be too good: remove the texts from '
    'test or from the other splits, or pass data without named splits, which the pipeline splits, '
    'or raise gate.max_test_overlap_percent'
)
UNKNOWN_OVERLAP_HINT = (
    'StatisticsGen did not count these texts: run the command again with another --root, or pass '
    '--set gate.max_test_overlap_percent=100 for no bound'
)
_ALL_PERCENT = 100.0
_HINT = 'set the bound, such as --set gate.min_auc=0.7; pipeline_runner.py config show prints all'


class Bound(NamedTuple):
    """A bound of the gate.

    Attributes:
        metric: Name of the metric.
        lowest: Lowest value, or None.
        least_change: Lowest difference to the baseline, or None. It is negative
            if a loss is allowed.
        slice: Range of words, empty for the whole test split.
        of_baseline: Whether the bound is on the baseline, not on the candidate.
        highest: Highest value of a percentage, or None.
    """

    metric: str
    lowest: float | None
    least_change: float | None = None
    slice: str = ''
    of_baseline: bool = False
    highest: float | None = None

    @property
    def is_checked_by_tfma(self) -> bool:
        """Whether TFMA checks the bound; `judge` checks the others."""
        return not self.of_baseline and self.highest is None

    def holds(self, value: float | None) -> bool:
        """Return whether a value meets the bound; a missing value does not.

        Args:
            value: In [0, 1], or a percentage if there is a highest value.
        """
        if self.highest is not None:
            return value is not None and 0 <= value <= self.highest
        return value is not None and self.lowest is not None and self.lowest <= value <= 1


def _make_bounds(gate: GateSettings) -> list[Bound]:
    if (
        gate.bounds
        or gate.confidence
        or not all(isinstance(v, float) for v in gate.slices.values())
    ):
        raise ConfigError('gate.bounds, gate.confidence and slices by column are not judged yet')
    slices = {name: bound for name, bound in gate.slices.items() if isinstance(bound, float)}
    return [
        Bound(ACCURACY, gate.min_accuracy, least_change=-gate.max_accuracy_drop - _ROUNDING),
        *(Bound(ACCURACY, bound, slice=name) for name, bound in sorted(slices.items())),
        Bound(AUC, gate.min_auc),
        *_make_safeguards(gate),
    ]


def _make_safeguards(gate: GateSettings) -> list[Bound]:
    return [
        Bound(TEST_OVERLAP, None, highest=gate.max_test_overlap_percent),
        Bound(AUC, gate.min_baseline_auc, of_baseline=True),
    ]


def build_eval_config(gate: GateSettings) -> config_pb2.EvalConfig:
    """Build TFMA's configuration from the settings, see `_build`."""
    return _build(_make_bounds(gate))


def _build(bounds: Iterable[Bound]) -> config_pb2.EvalConfig:
    """Build TFMA's configuration.

    The served signature is judged. It returns probabilities, so the accuracy is
    that at 0.5. TFMA fails closed: a metric that is missing or NaN does not meet
    its bound, and neither does a slice without examples.

    Returns:
        A configuration with all `METRICS`, overall and by number of words. TFMA
        checks the bounds of the first specification only. The change bound, and the
        bounds on the baseline, apply if there is a baseline.
    """
    of_candidate = {metric.name: _metric_config(metric.name) for metric in METRICS}
    of_data: dict[str, config_pb2.MetricConfig] = {}
    of_baseline: dict[str, config_pb2.MetricConfig] = {}
    for bound in bounds:
        if bound.is_checked_by_tfma:
            metric = of_candidate[bound.metric]
        else:
            others = of_baseline if bound.of_baseline else of_data
            metric = others.setdefault(bound.metric, _metric_config(bound.metric))
        # A plain `threshold` would apply to each slice, however few examples it has.
        metric.per_slice_thresholds.append(_to_threshold(bound))
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=features.EXAMPLES_SIGNATURE,
                prediction_key=features.PROBABILITY_KEY,
                label_key=features.LABEL_KEY,
                model_type=tfma.constants.TF_GENERIC,
            )
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            config_pb2.SlicingSpec(feature_keys=[features.LENGTH_KEY]),
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(metrics=list(of_candidate.values())),
            *(
                config_pb2.MetricsSpec(metrics=list(metrics.values()), model_names=models)
                for metrics, models in ((of_data, []), (of_baseline, [tfma.BASELINE_KEY]))
                if metrics
            ),
        ],
    )


def tfma_part(config: config_pb2.EvalConfig) -> config_pb2.EvalConfig:
    """Return the part of a configuration of `resolve_eval_config` that TFMA can check.

    It ignores a bound on a baseline, and cannot compute a metric of the data.
    """
    part = config_pb2.EvalConfig()
    part.CopyFrom(config)
    del part.metrics_specs[1:]
    return part


def resolve_eval_config(gate: GateSettings, *, has_baseline: bool) -> config_pb2.EvalConfig:
    """Build the configuration that a candidate is judged by.

    Args:
        gate: The bounds.
        has_baseline: Whether there is a baseline. If not, the bounds on it and on
            the change are left out.

    Returns:
        TFMA's configuration, with defaults and the names of the models.
    """
    return _resolve(_make_bounds(gate), has_baseline=has_baseline)


def resolve_safeguards(gate: GateSettings, *, has_baseline: bool) -> config_pb2.EvalConfig:
    """Build the configuration of the checks that hold in addition to those of TFMA.

    A candidate that does not return a probability for each example has an accuracy of
    NaN, which does not meet any bound.

    Args:
        gate: The lowest AUC of the baseline, and the largest overlap of test.
        has_baseline: Whether there is a baseline.
    """
    return _resolve([Bound(ACCURACY, 0.0), *_make_safeguards(gate)], has_baseline=has_baseline)


def _resolve(bounds: Iterable[Bound], *, has_baseline: bool) -> config_pb2.EvalConfig:
    config = _build(
        bound
        for bound in bounds
        # TFMA would apply the baseline's bound to the only model. A bound of 100% is none, also if
        # the share is not known.
        if (has_baseline or not bound.of_baseline) and bound.highest != _ALL_PERCENT
    )
    # Here `rubber_stamp` only lets TFMA drop the change bound if there is no baseline. `judge`
    # refuses to bless a model if no bounds are set.
    config = tfma.utils.update_eval_config_with_defaults(
        config, has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    return config


def bounds_of(config: config_pb2.EvalConfig) -> Iterator[Bound]:
    """Yield the bounds of a configuration of `build_eval_config` or `resolve_eval_config`."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            for per_slice in metric.per_slice_thresholds:
                value = per_slice.threshold.value_threshold
                change = per_slice.threshold.change_threshold
                name = str(json.loads(metric.config)['name'])
                for slicing in per_slice.slicing_specs:
                    yield Bound(
                        name,
                        value.lower_bound.value if value.HasField('lower_bound') else None,
                        change.absolute.value if change.HasField('absolute') else None,
                        slice=', '.join(slicing.feature_values.values()),
                        of_baseline=list(spec.model_names) == [tfma.BASELINE_KEY],
                        highest=value.upper_bound.value if name == TEST_OVERLAP else None,
                    )


def read_gate(config: config_pb2.EvalConfig) -> GateSettings:
    """Read the settings from a configuration of `build_eval_config`.

    Raises:
        ConfigError: If a bound is missing or out of range.
    """
    found: dict[str, Any] = {'slices': {}}
    for bound in bounds_of(config):
        if bound.of_baseline:
            found['min_baseline_auc'] = bound.lowest
        elif bound.metric == TEST_OVERLAP:
            found['max_test_overlap_percent'] = bound.highest
        elif bound.slice:
            found['slices'][bound.slice] = bound.lowest
        elif bound.metric == ACCURACY:
            found['min_accuracy'] = bound.lowest
            if bound.least_change is not None:
                # 0.01 + 1e-9 - 1e-9 is not quite 0.01.
                drop = round(-bound.least_change - _ROUNDING, 12)
                found['max_accuracy_drop'] = max(0.0, drop)
        elif bound.metric == AUC:
            found['min_auc'] = bound.lowest
    optional = {'eval_config', 'bounds', 'min_slice_examples', 'small_slices', 'confidence'}
    bounds = GateSettings.model_fields.keys() - optional
    missing = sorted(name for name in bounds if found.get(name) is None)
    if missing:
        raise ConfigError(f'the gate has no bound {", ".join(missing)}', hint=_HINT)
    try:
        return GateSettings.model_validate(found)
    except pydantic.ValidationError as err:
        raise setting_error(err, _HINT) from err


def _metric_config(name: str) -> config_pb2.MetricConfig:
    return config_pb2.MetricConfig(
        class_name=TotalsMetric.__name__,
        module=TotalsMetric.__module__,
        config=json.dumps({'name': name}),
    )


def _to_threshold(bound: Bound) -> config_pb2.PerSliceMetricThreshold:
    where = {features.LENGTH_KEY: bound.slice} if bound.slice else {}
    # All other bounded metrics are shares, so a value above 1 is an error.
    highest = 1.0 if bound.highest is None else bound.highest
    threshold = config_pb2.MetricThreshold(value_threshold={'upper_bound': {'value': highest}})
    if bound.lowest is not None:
        threshold.value_threshold.lower_bound.value = bound.lowest
    if bound.least_change is not None:
        threshold.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = bound.least_change
    return config_pb2.PerSliceMetricThreshold(
        slicing_specs=[config_pb2.SlicingSpec(feature_values=where)], threshold=threshold
    )
