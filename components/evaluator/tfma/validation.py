"""Turns what TFMA validated with a configuration of the user's into checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from components.evaluator.metric_table import EXAMPLE_COUNT, TEST_OVERLAP, Check
from components.evaluator.slice_patterns import slice_name
from components.evaluator.tfma.files import Values


def metric_name(key: metric_types.MetricKey) -> str:
    """Return the name of a metric, for example `precision (topK:2)`."""
    return f'{key.name} ({key.sub_key})' if key.sub_key else key.name


def validated_checks(
    config: config_pb2.EvalConfig,
    result: validation_result_pb2.ValidationResult,
    values: Values,
) -> tuple[Check, ...]:
    """Return the result of each threshold.

    Args:
        config: The configuration, with defaults.
        result: What TFMA found.
        values: The metrics.

    Returns:
        All failures, and the thresholds that are met on the whole test split or on a
        slice that the configuration names with its value.
    """
    failed = list(_failures(result, values))
    known = {(check.metric, check.slice, check.bound) for check in failed}
    met = {
        (check.metric, check.slice, check.bound): check
        for check in _met(config, values)
        if (check.metric, check.slice, check.bound) not in known
    }
    return (*met.values(), *failed)


def _failures(result: validation_result_pb2.ValidationResult, values: Values) -> Iterator[Check]:
    for of_slice in result.metric_validations_per_slice:
        if of_slice.HasField('cross_slice_key'):
            pair = slicer_lib.deserialize_cross_slice_key(of_slice.cross_slice_key)
            where = ' against '.join(slice_name(key) or 'all texts' for key in pair)
            of_metrics: Mapping[Any, float | None] = {}
        else:
            key = slicer_lib.deserialize_slice_key(of_slice.slice_key)
            where, of_metrics = slice_name(key), values.get(key, {})
        for failure in of_slice.failures:
            metric = metric_types.MetricKey.from_proto(failure.metric_key)
            if metric.model_name == tfma.BASELINE_KEY or metric.name == TEST_OVERLAP:
                continue  # a safeguard, which has a check of its own
            threshold = failure.metric_threshold
            change = threshold.HasField('change_threshold')
            bound = threshold.change_threshold if change else threshold.value_threshold
            yield Check(
                metric=metric_name(metric),
                slice=where,
                value=of_metrics.get(metric),
                bound=_describe(bound),
                passed=False,
            )
    for missing in result.missing_slices:
        where = ', '.join([*missing.feature_keys, *_named(missing)])
        yield Check(metric=EXAMPLE_COUNT, slice=where, value=None, bound='>= 1', passed=False)


def _met(config: config_pb2.EvalConfig, values: Values) -> Iterator[Check]:
    thresholds = tfma.metrics.metric_thresholds_from_metrics_specs(
        config.metrics_specs, eval_config=config
    )
    for metric, of_metric in thresholds.items():
        for spec, threshold in of_metric:
            if isinstance(spec, config_pb2.CrossSlicingSpec):
                continue
            where = slicer_lib.SingleSliceSpec(spec=spec or config_pb2.SlicingSpec())
            for key, found in values.items():
                named = not key or bool(spec and spec.feature_values)
                if named and where.is_slice_applicable(key):
                    yield Check(
                        metric=metric_name(metric),
                        slice=slice_name(key),
                        value=found.get(metric),
                        bound=_describe(threshold),
                        passed=True,
                    )


def _named(spec: config_pb2.SlicingSpec) -> list[str]:
    return [f'{key}={value}' for key, value in sorted(spec.feature_values.items())]


def _describe(
    threshold: config_pb2.GenericValueThreshold | config_pb2.GenericChangeThreshold,
) -> str:
    """Return a threshold as text, for example `>= 0.8000` or `change >= -0.0100`."""
    if isinstance(threshold, config_pb2.GenericValueThreshold):
        parts = [
            f'{sign} {getattr(threshold, field).value:.4f}'
            for field, sign in (('lower_bound', '>='), ('upper_bound', '<='))
            if threshold.HasField(field)
        ]
        return ' and '.join(parts)
    sign = '<=' if threshold.direction == config_pb2.MetricDirection.LOWER_IS_BETTER else '>='
    parts = [
        f'{name} {sign} {getattr(threshold, field).value:.4f}'
        for field, name in (('absolute', 'change'), ('relative', 'relative change'))
        if threshold.HasField(field)
    ]
    return ' and '.join(parts)
