"""Reads an Evaluation artifact: the metrics and the result of each bound."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.evaluator.eval_config import BASELINE_HINT, Bound, bounds_of
from components.evaluator.gate import CONFIG_FILE
from components.evaluator.metric_table import BASELINE_PREFIX, Check

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
        safeguards: The evaluation of the checks in addition to those of TFMA, None if TFX's
            executor did not evaluate.

    Example:
        evaluation = read_evaluation(artifact.uri)
        failed = [check for check in evaluation.checks() if not check.passed]
    """

    metrics: Metrics
    slices: dict[str, Metrics]
    baseline: Metrics | None
    bounds: tuple[Bound, ...]
    safeguards: Evaluation | None = None

    def checks(self) -> tuple[Check, ...]:
        """Return the result of each bound, and of each safeguard that is worth showing."""
        checks = [check for bound in self.bounds for check in self._checks_of(bound)]
        if self.safeguards is not None:
            failed = {check.metric for check in checks if not check.passed}
            # A score for each example is taken for granted.
            checks += [
                check
                for check in self.safeguards.checks()
                if check.metric.startswith(BASELINE_PREFIX)
                or not (check.passed or check.metric in failed)
            ]
        return tuple(checks)

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
    """Read the Evaluation artifact in the folder `uri`."""
    # A run may override the bounds in the settings, so read them from the artifact.
    with tf.io.gfile.GFile(os.path.join(uri, CONFIG_FILE)) as file:
        config = json_format.Parse(file.read(), config_pb2.EvalRun()).eval_config
    safeguards = os.path.join(uri, SAFEGUARDS_DIR)
    has_baseline = any(spec.is_baseline for spec in config.model_specs)
    slices: dict[str, Metrics] = {}
    baseline: Metrics = {}
    for record in tfma.load_metrics(uri):
        keys = record.slice_key.single_slice_keys
        where = ', '.join(f'{key.column}={key.bytes_value.decode()}' for key in keys)
        for item in record.metric_keys_and_values:
            value = item.value.double_value.value if item.value.HasField('double_value') else None
            if value is not None and math.isnan(value):
                value = None
            # TFMA leaves out the name if there is only one model.
            if item.key.is_diff:
                continue
            if item.key.model_name in ('', tfma.CANDIDATE_KEY):
                slices.setdefault(where, {})[item.key.name] = value
            elif item.key.model_name == tfma.BASELINE_KEY and not where:
                baseline[item.key.name] = value
    return Evaluation(
        metrics=slices.pop('', {}),
        slices=slices,
        baseline=baseline if has_baseline else None,
        bounds=tuple(bounds_of(config)),
        safeguards=read_evaluation(safeguards) if tf.io.gfile.exists(safeguards) else None,
    )
