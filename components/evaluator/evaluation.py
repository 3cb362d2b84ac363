"""Reads an Evaluation artifact: the metrics and the result of each bound."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any, Literal

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from components.common import features
from components.evaluator.eval_config import (
    BASELINE_HINT,
    OVERLAP_HINT,
    UNKNOWN_OVERLAP_HINT,
    Bound,
    bounds_of,
)
from components.evaluator.gate import CONFIG_FILE
from components.evaluator.metric_table import (
    BASELINE_PREFIX,
    TEST_OVERLAP,
    Check,
    Ends,
    MetricChange,
    format_metric,
)
from components.evaluator.validation import (
    Values,
    is_of_user,
    metric_name,
    slice_name,
    validated_checks,
)

# Below an evaluation by TFMA: the evaluation of the checks that hold in addition.
SAFEGUARDS_DIR = 'safeguards'

Metrics = dict[str, float | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The metrics of the candidate and the baseline, and the bounds of the gate.

    Attributes:
        metrics: Metrics of the candidate on the whole test split, by name; None is NaN.
        slices: The same by slice, for example `length=11-50`.
        baseline: Metrics of the baseline on the whole test split, None without a baseline.
        bounds: The bounds that the candidate was judged by.
        intervals: Ends of the interval of each metric in `metrics`, by name.
        slice_intervals: The same by slice.
        changes: Difference of each metric from that of the baseline, by name; empty without
            a baseline.
        slice_changes: The same by slice, for slices with a bound on the change.
        confidence: Level of all intervals.
        judged_by: `interval` if each bound must hold for the worse end of the interval.
        examples_needed: Number of texts of test that could show a drop of the accuracy of
            `max_accuracy_drop`; None if test has as many.
        threshold: Decision threshold of the candidate.
        baseline_threshold: That of the baseline, None without a baseline.
        safeguards: The evaluation of the checks in addition to those of TFMA, None if TFX's
            executor did not evaluate.
        validated: Checks of a configuration of the user's, which replaces the bounds.

    Example:
        evaluation = read_evaluation(artifact.uri)
        failed = [check for check in evaluation.checks() if not check.passed]
    """

    metrics: Metrics
    slices: dict[str, Metrics]
    baseline: Metrics | None
    bounds: tuple[Bound, ...]
    intervals: dict[str, Ends] = dataclasses.field(default_factory=dict)
    slice_intervals: dict[str, dict[str, Ends]] = dataclasses.field(default_factory=dict)
    changes: dict[str, MetricChange] = dataclasses.field(default_factory=dict)
    slice_changes: dict[str, dict[str, MetricChange]] = dataclasses.field(default_factory=dict)
    confidence: float = 0.95
    judged_by: Literal['value', 'interval'] = 'value'
    examples_needed: int | None = None
    threshold: float = 0.5
    baseline_threshold: float | None = None
    safeguards: Evaluation | None = None
    validated: tuple[Check, ...] = ()

    def checks(self) -> tuple[Check, ...]:
        """Return the result of each bound, and of each safeguard that is worth showing."""
        checks = [check for bound in self.bounds for check in self._checks_of(bound)]
        checks += self.validated
        if self.safeguards is not None:
            failed = {check.metric for check in checks if not check.passed}
            # A score for each example is taken for granted.
            checks += [
                check
                for check in self.safeguards.checks()
                if check.metric.startswith(BASELINE_PREFIX)
                or check.metric == TEST_OVERLAP
                or not (check.passed or check.metric in failed)
            ]
        return tuple(checks)

    def _checks_of(self, bound: Bound) -> Iterator[Check]:
        where = f'{features.LENGTH_KEY}={bound.slice}' if bound.slice else ''
        metrics = self.slices.get(where, {}) if where else self.metrics
        if bound.of_baseline:
            metrics = self.baseline or {}
        value = metrics.get(bound.metric)
        if bound.highest is not None:
            yield Check(
                metric=bound.metric,
                slice=where,
                value=value,
                bound=f'<= {format_metric(bound.metric, bound.highest)}',
                passed=bound.holds(value),
                hint=UNKNOWN_OVERLAP_HINT if value is None else OVERLAP_HINT,
            )
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
    """Read the Evaluation artifact in the folder `uri`."""
    # A run may override the bounds in the settings, so read them from the artifact.
    with tf.io.gfile.GFile(os.path.join(uri, CONFIG_FILE)) as file:
        config = json_format.Parse(file.read(), config_pb2.EvalRun()).eval_config
    safeguards = os.path.join(uri, SAFEGUARDS_DIR)
    has_baseline = any(spec.is_baseline for spec in config.model_specs)
    values = _read_values(uri)
    slices: dict[str, Metrics] = {}
    baseline: Metrics = {}
    for key, of_slice in values.items():
        where = slice_name(key)
        for metric, value in of_slice.items():
            # TFMA leaves out the name if there is only one model.
            if metric.is_diff:
                continue
            if metric.model_name in ('', tfma.CANDIDATE_KEY):
                slices.setdefault(where, {})[metric_name(metric)] = value
            elif metric.model_name == tfma.BASELINE_KEY and not where:
                baseline[metric_name(metric)] = value
    found = Evaluation(
        metrics=slices.pop('', {}),
        slices=slices,
        baseline=baseline if has_baseline else None,
        bounds=() if is_of_user(config) else tuple(bounds_of(config)),
        safeguards=read_evaluation(safeguards) if tf.io.gfile.exists(safeguards) else None,
    )
    if found.safeguards is None:
        return found
    # The metrics of this project are known, too.
    ours = found.safeguards
    if not is_of_user(config):
        return dataclasses.replace(found, metrics=ours.metrics | found.metrics)
    return dataclasses.replace(
        found,
        metrics=ours.metrics | found.metrics,
        slices={
            where: ours.slices.get(where, {}) | slices.get(where, {})
            for where in ours.slices | slices
        },
        baseline=(ours.baseline or {}) | baseline if has_baseline else None,
        validated=validated_checks(config, tfma.load_validation_result(uri), values),
    )


def _read_values(uri: str) -> Values:
    """Read the scalar metrics of each slice; NaN is None."""
    found: dict[tuple[Any, ...], dict[metric_types.MetricKey, float | None]] = {}
    for record in tfma.load_metrics(uri):
        if record.HasField('cross_slice_key'):
            continue
        of_slice = found.setdefault(slicer_lib.deserialize_slice_key(record.slice_key), {})
        for item in record.metric_keys_and_values:
            kind = item.value.WhichOneof('type')
            # With confidence intervals, a value has bounds.
            number = (
                item.value.bounded_value.value
                if kind == 'bounded_value'
                else (item.value.double_value if kind == 'double_value' else None)
            )
            if number is not None:
                value = None if math.isnan(number.value) else number.value
                of_slice[metric_types.MetricKey.from_proto(item.key)] = value
    return found
