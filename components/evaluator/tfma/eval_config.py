"""Builds TFMA's configuration of an evaluation, which is stored with it.

With `executors: stock`, TFMA evaluates and validates with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.decision_threshold import DEFAULT_THRESHOLD
from components.evaluator.gate import ROUNDING, Ruling
from components.evaluator.metric_table import METRICS, BoundKind, find_metric
from components.evaluator.slice_patterns import parse_slice
from components.evaluator.slices import Slice
from components.evaluator.tfma.metrics import TotalsMetric


def build_eval_config(
    rulings: Iterable[Ruling],
    slices: Mapping[str, Slice],
    thresholds: Mapping[str, float],
    *,
    has_baseline: bool,
) -> config_pb2.EvalConfig:
    """Build TFMA's configuration.

    The served signature is evaluated. TFMA fails closed: a metric that is missing or NaN does
    not meet its threshold, and neither does a slice without examples.

    Args:
        rulings: The bounds. Those that TFMA cannot express are left out: on the baseline, on the
            data, and on slices that are no values of features or have too few examples.
        slices: The slices of the test split by name.
        thresholds: Decision thresholds by model.
        has_baseline: Whether there is a baseline.

    Returns:
        A configuration with all `METRICS` on all slices, with defaults and the names of the
        models.
    """
    metrics = {metric.name: _metric_config(metric.name, thresholds) for metric in METRICS}
    bounds: dict[tuple[str, str], dict[BoundKind, float]] = {}
    for ruling in rulings:
        check = ruling.check
        if ruling.model == 'candidate' and check.metric in metrics and not check.skipped:
            bounds.setdefault((check.metric, check.slice), {})[ruling.kind] = ruling.limit
    for (metric, name), of_metric in bounds.items():
        spec = _slicing_spec(name, slices)
        if name and name not in slices:
            # Without a baseline, TFMA drops bounds on changes, and would not miss the slice.
            of_metric.setdefault('min', 0.0)
        if spec is not None:
            # A plain `threshold` would apply to each slice, however few examples it has.
            metrics[metric].per_slice_thresholds.append(
                config_pb2.PerSliceMetricThreshold(
                    slicing_specs=[spec], threshold=_to_threshold(metric, of_metric)
                )
            )
    specs = (_slicing_spec(name, slices) for name in slices if not _is_by_length(slices[name]))
    config = config_pb2.EvalConfig(
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
            *(spec for spec in specs if spec),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=list(metrics.values()))],
    )
    # Here `rubber_stamp` only lets TFMA drop the change bound if there is no baseline. The gate
    # refuses to bless a model if no bounds are set.
    config = tfma.utils.update_eval_config_with_defaults(
        config, has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    return config


def _is_by_length(found: Slice) -> bool:
    return [column for column, _ in found.key] in ([], [features.LENGTH_KEY])


def _slicing_spec(name: str, slices: Mapping[str, Slice]) -> config_pb2.SlicingSpec | None:
    """Return the specification of a slice, None if its examples do not share a value."""
    if name in slices:
        found = slices[name]
        values = {column: str(value) for column, value in found.key}
        return config_pb2.SlicingSpec(feature_values=values) if found.is_of_values else None
    # Of no example. TFMA cannot express that each value of a column is missing.
    pattern = parse_slice(name)
    if not pattern.is_one_slice:
        return None
    return config_pb2.SlicingSpec(feature_values=pattern.feature_values())


def _metric_config(name: str, thresholds: Mapping[str, float]) -> config_pb2.MetricConfig:
    config: dict[str, object] = {'name': name}
    if any(threshold != DEFAULT_THRESHOLD for threshold in thresholds.values()):
        config['thresholds'] = dict(thresholds)
    return config_pb2.MetricConfig(
        class_name=TotalsMetric.__name__, module=TotalsMetric.__module__, config=json.dumps(config)
    )


def _to_threshold(metric: str, bounds: Mapping[BoundKind, float]) -> config_pb2.MetricThreshold:
    threshold = config_pb2.MetricThreshold()
    # A value outside the range of the metric is an error, also if only the change is bounded.
    highest = min(find_metric(metric).highest, sys.float_info.max)
    threshold.value_threshold.lower_bound.value = bounds.get('min', 0.0)
    threshold.value_threshold.upper_bound.value = bounds.get('max', highest)
    change, directions = threshold.change_threshold, config_pb2.MetricDirection
    if 'max_drop' in bounds:
        change.direction = directions.HIGHER_IS_BETTER
        change.absolute.value = -bounds['max_drop'] - ROUNDING
    if 'max_rise' in bounds:
        change.direction = directions.LOWER_IS_BETTER
        change.absolute.value = bounds['max_rise'] + ROUNDING
    return threshold
