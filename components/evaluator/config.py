"""What the Evaluator measures, and what it demands.

TFMA's configuration is what travels to the Evaluator and stays with the
evaluation, so the bounds are written into it, and read from it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pydantic
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.errors import ConfigError
from components.common.overrides import refusal
from components.common.settings import GateSettings
from components.evaluator import metrics

ACCURACY = 'binary_accuracy'
AUC = 'auc'
LOSS = 'loss'
EXAMPLE_COUNT = 'example_count'

# 0.88 - 0.90 is a little less than -0.02 in floating point; a drop of just 0.02 is allowed.
_ROUNDING = 1e-9
# What to do where the blessed model ranks the texts worse than chance.
BASELINE_HINT = (
    'the model blessed before ranks the texts of this test worse than the bound: the labels may '
    'have been turned around, or the data is of another kind; look at the labels, and if they are '
    'right, use another --name, or once --set gate.min_baseline_auc=0'
)
_HINT = 'the bounds are the settings gate.*; print them with: pipeline_runner.py config show'


class Bound(NamedTuple):
    """A bound in a configuration.

    Attributes:
        of_baseline: Whether it is on the baseline, not on the candidate.
        metric: Name of the metric.
        slice: Review length, empty for all of test.
        lowest: At least this value; None if there is no such bound.
        least_change: At least so much above the baseline; below 0, what is
            allowed to be lost. None likewise.
    """

    of_baseline: bool
    metric: str
    slice: str
    lowest: float | None
    least_change: float | None

    def holds(self, value: float | None) -> bool:
        """Tell whether a value meets the lower bound; what is missing, or no share, does not."""
        return value is not None and self.lowest is not None and self.lowest <= value <= 1


def build_eval_config(gate: GateSettings) -> config_pb2.EvalConfig:
    """Build TFMA's configuration.

    It judges the signature that is served: that one emits probabilities, so
    accuracy is cut at 0.5. TFMA fails closed: a metric that is missing or NaN
    does not meet its bound, nor does a slice without examples.

    Args:
        gate: The bounds.

    Returns:
        A configuration with the metrics `binary_accuracy`, `loss`, `auc`,
        `precision`, `recall`, `calibration`, `expected_calibration_error` and
        `example_count`, overall and by review length. The change bound, and
        the second specification, of the baseline, hold when there is one.
    """
    overall = config_pb2.MetricThreshold(
        value_threshold=_at_least(gate.min_accuracy),
        change_threshold=config_pb2.GenericChangeThreshold(
            direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
            absolute={'value': -gate.max_accuracy_drop - _ROUNDING},
        ),
    )
    accuracy = _metric(metrics.OnePassAccuracy, ACCURACY)
    # A plain `threshold` would hold for each slice, however few examples it has.
    _bind(accuracy, config_pb2.SlicingSpec(), overall)
    for name, bound in sorted(gate.slices.items()):
        of_length = config_pb2.SlicingSpec(feature_values={features.LENGTH_KEY: name})
        _bind(accuracy, of_length, config_pb2.MetricThreshold(value_threshold=_at_least(bound)))
    auc = _metric(metrics.OnePassAUC, AUC)
    lowest = config_pb2.MetricThreshold(value_threshold=_at_least(gate.min_auc))
    _bind(auc, config_pb2.SlicingSpec(), lowest)
    others = [
        _metric(metric, name)
        for metric, name in (
            (metrics.OnePassCrossEntropy, LOSS),
            (metrics.OnePassPrecision, 'precision'),
            (metrics.OnePassRecall, 'recall'),
            (metrics.OnePassCalibration, 'calibration'),
            (metrics.OnePassCalibrationError, 'expected_calibration_error'),
            (metrics.OnePassExampleCount, EXAMPLE_COUNT),
        )
    ]
    of_baseline = _metric(metrics.OnePassAUC, AUC)
    lowest = config_pb2.MetricThreshold(value_threshold=_at_least(gate.min_baseline_auc))
    _bind(of_baseline, config_pb2.SlicingSpec(), lowest)
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
            config_pb2.MetricsSpec(metrics=[accuracy, auc, *others]),
            # TFMA takes note of a bound on a baseline, and does not hold it: `judge` does.
            config_pb2.MetricsSpec(metrics=[of_baseline], model_names=[tfma.BASELINE_KEY]),
        ],
    )


def resolve_eval_config(gate: GateSettings, *, has_baseline: bool) -> config_pb2.EvalConfig:
    """Build the configuration that a candidate is judged by.

    Args:
        gate: The bounds.
        has_baseline: Whether there is one. A first run has none, and then what
            is compared with it cannot be demanded.

    Returns:
        TFMA's, with defaults and the models' names.
    """
    config = build_eval_config(gate)
    if not has_baseline:
        # TFMA would take a baseline's bound for the only model's.
        del config.metrics_specs[1:]
    # That nothing is blessed without bounds is for `judge` to see to: to TFMA, a rubber stamp is
    # here no more than leave to drop the change bound where there is no baseline.
    config = tfma.utils.update_eval_config_with_defaults(
        config, has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    return config


def bounds_of(config: config_pb2.EvalConfig) -> Iterator[Bound]:
    """Yield the bounds of a configuration, resolved or not, as `build_eval_config` places them."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            for per_slice in metric.per_slice_thresholds:
                value = per_slice.threshold.value_threshold
                change = per_slice.threshold.change_threshold
                for slicing in per_slice.slicing_specs:
                    yield Bound(
                        list(spec.model_names) == [tfma.BASELINE_KEY],
                        str(json.loads(metric.config)['name']),
                        ', '.join(slicing.feature_values.values()),
                        value.lower_bound.value if value.HasField('lower_bound') else None,
                        change.absolute.value if change.HasField('absolute') else None,
                    )


def read_gate(config: config_pb2.EvalConfig) -> GateSettings:
    """Read the settings that a configuration was built of.

    Args:
        config: From `build_eval_config`.

    Raises:
        ConfigError: If a bound is missing or out of range.
    """
    found: dict[str, Any] = {'slices': {}}
    for bound in bounds_of(config):
        if bound.of_baseline:
            found['min_baseline_auc'] = bound.lowest
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
    missing = sorted(name for name in GateSettings.model_fields if found.get(name) is None)
    if missing:
        raise ConfigError(f'the gate has no bound {", ".join(missing)}', hint=_HINT)
    try:
        return GateSettings.model_validate(found)
    except pydantic.ValidationError as err:
        raise refusal(err, _HINT) from err


def _metric(metric: type[Any], name: str) -> config_pb2.MetricConfig:
    return config_pb2.MetricConfig(
        class_name=metric.__name__, module=metrics.__name__, config=json.dumps({'name': name})
    )


def _bind(
    metric: config_pb2.MetricConfig,
    where: config_pb2.SlicingSpec,
    bound: config_pb2.MetricThreshold,
) -> None:
    metric.per_slice_thresholds.append(
        config_pb2.PerSliceMetricThreshold(slicing_specs=[where], threshold=bound)
    )


def _at_least(bound: float) -> config_pb2.GenericValueThreshold:
    # What is bounded is a share: a value above 1 would say that something is broken.
    lowest, highest = {'value': bound}, {'value': 1.0}
    return config_pb2.GenericValueThreshold(lower_bound=lowest, upper_bound=highest)
