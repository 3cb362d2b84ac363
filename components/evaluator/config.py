"""What the Evaluator measures, and what it demands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma

from components import features
from components.evaluator import metrics
from components.overrides import GATE_OVERRIDES, overridden
from components.settings import GateSettings

ACCURACY = 'binary_accuracy'
LOSS = 'loss'
EXAMPLE_COUNT = 'example_count'

# 0.88 - 0.90 is a little less than -0.02 in floating point; a drop of just 0.02 is allowed.
_ROUNDING = 1e-9


def build_eval_config(gate: GateSettings) -> tfma.EvalConfig:
    """Build TFMA's configuration.

    It judges the signature that is served: that one emits probabilities, so
    accuracy is cut at 0.5. TFMA fails closed: a metric that is missing or NaN
    does not meet its bound, nor does a slice without examples.

    Args:
        gate: The bounds.

    Returns:
        A configuration with the metrics `binary_accuracy`, `loss`, `auc`,
        `precision`, `recall`, `calibration`, `expected_calibration_error` and
        `example_count`, overall and by review length. The change bound holds
        when there is a baseline.
    """
    overall = tfma.MetricThreshold(
        value_threshold=_at_least(gate.min_accuracy),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
            absolute={'value': _largest_drop(gate)},
        ),
    )
    accuracy = tfma.MetricConfig(
        class_name=metrics.OnePassAccuracy.__name__,
        module=metrics.__name__,
        config=f'{{"name": "{ACCURACY}"}}',
        # A plain `threshold` would hold for each slice, however few examples it has.
        per_slice_thresholds=[
            tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=overall),
            *(
                tfma.PerSliceMetricThreshold(
                    slicing_specs=[tfma.SlicingSpec(feature_values={features.LENGTH_KEY: name})],
                    threshold=tfma.MetricThreshold(value_threshold=_at_least(bound)),
                )
                for name, bound in sorted(gate.slices.items())
            ),
        ],
    )
    others = [
        tfma.MetricConfig(
            class_name=metric.__name__, module=metrics.__name__, config=f'{{"name": "{name}"}}'
        )
        for metric, name in (
            (metrics.OnePassCrossEntropy, LOSS),
            (metrics.OnePassAUC, 'auc'),
            (metrics.OnePassPrecision, 'precision'),
            (metrics.OnePassRecall, 'recall'),
            (metrics.OnePassCalibration, 'calibration'),
            (metrics.OnePassCalibrationError, 'expected_calibration_error'),
            (metrics.OnePassExampleCount, EXAMPLE_COUNT),
        )
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=features.EXAMPLES_SIGNATURE,
                prediction_key=features.PROBABILITY_KEY,
                label_key=features.LABEL_KEY,
                model_type=tfma.constants.TF_GENERIC,
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            tfma.SlicingSpec(feature_keys=[features.LENGTH_KEY]),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=[accuracy, *others])],
    )


def override_bounds(config: tfma.EvalConfig, exec_properties: Mapping[str, Any]) -> None:
    """Put the bounds of a run in place of those that the configuration was built with.

    Args:
        config: From `build_eval_config`; it is changed.
        exec_properties: Of the node; those named as a bound of the gate count.

    Raises:
        pydantic.ValidationError: If a bound is out of range.
    """
    (overall,) = (
        per_slice.threshold
        for spec in config.metrics_specs
        for metric in spec.metrics
        for per_slice in metric.per_slice_thresholds
        if list(per_slice.slicing_specs) == [tfma.SlicingSpec()]
    )
    built = GateSettings(
        min_accuracy=overall.value_threshold.lower_bound.value,
        max_accuracy_drop=max(0.0, -overall.change_threshold.absolute.value - _ROUNDING),
    )
    gate = overridden(built, exec_properties, GATE_OVERRIDES)
    if gate != built:
        overall.value_threshold.CopyFrom(_at_least(gate.min_accuracy))
        overall.change_threshold.absolute.value = _largest_drop(gate)


def lowest_accuracy(baseline_accuracy: float, gate: GateSettings) -> float:
    """Return the lowest accuracy that is blessed beside this baseline."""
    return baseline_accuracy - gate.max_accuracy_drop - _ROUNDING


def _largest_drop(gate: GateSettings) -> float:
    return -gate.max_accuracy_drop - _ROUNDING


def _at_least(bound: float) -> tfma.GenericValueThreshold:
    return tfma.GenericValueThreshold(lower_bound={'value': bound})
