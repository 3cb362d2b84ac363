"""Computes the metrics, judges the candidate, and writes both in TFMA's format."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from components.common.atomic_write import UNFINISHED, atomic_file, atomic_write
from components.evaluator.eval_config import (
    BASELINE_HINT,
    OVERLAP_HINT,
    Bound,
    bounds_of,
    tfma_part,
)
from components.evaluator.metric_table import METRICS, TEST_OVERLAP
from components.evaluator.metrics import metric_key
from components.evaluator.totals import Totals

CONFIG_FILE = 'eval_config.json'

# As in TFMA: (feature, value) pairs; () is the whole test split.
Slice = tuple[tuple[str, str], ...]
MetricValues = dict[metric_types.MetricKey, float]


def compute_metrics(
    totals: Mapping[str, Totals], eval_config: config_pb2.EvalConfig
) -> MetricValues:
    """Compute the metrics of one slice.

    Args:
        totals: By name of the model in the configuration.
        eval_config: TFMA's configuration, with defaults.

    Returns:
        The metrics of each model. With a baseline, also the differences between
        candidate and baseline.
    """
    metrics: MetricValues = {
        metric_key(metric.name, model): metric.compute(found)
        for model, found in totals.items()
        for metric in METRICS
    }
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    if baseline is None:
        return metrics
    changes = {
        key.make_diff_key(): value - metrics[key.make_baseline_key(baseline)]
        for key, value in metrics.items()
        if key.model_name != baseline
    }
    return metrics | changes


def write_results(
    totals: Mapping[Slice, Mapping[str, Totals]],
    eval_config: config_pb2.EvalConfig,
    model_locations: Mapping[str, str],
    folder: str,
    *,
    test_overlap: float,
) -> None:
    """Judge the candidate and write the files that TFMA's loaders read.

    Args:
        totals: By slice and name of the model.
        eval_config: TFMA's configuration, with defaults.
        model_locations: Path of the SavedModel, by name of the model.
        folder: Folder of the Evaluation artifact.
        test_overlap: Percentage of the texts of `test` that are also in `train` or `val`, NaN
            if it is not known.
    """
    unfinished = os.path.join(folder, UNFINISHED)
    run = config_pb2.EvalRun(
        eval_config=eval_config,
        version=tfma.version.VERSION,
        model_locations=dict(model_locations),
    )
    text = json_format.MessageToJson(run)
    atomic_write(os.path.join(folder, CONFIG_FILE), text.encode(), part_dir=unfinished)
    metrics = {
        where: compute_metrics(of_models, eval_config)
        for where, of_models in sorted(totals.items())
    }
    if () in metrics:
        metrics[()][metric_key(TEST_OVERLAP, _candidate_name(eval_config))] = test_overlap
    path = os.path.join(folder, 'metrics-00000-of-00001.tfrecord')
    with atomic_file(path, part_dir=unfinished) as part, tf.io.TFRecordWriter(part) as records:
        for of_slice in metrics.items():
            proto = writer.convert_slice_metrics_to_proto(of_slice, None)
            records.write(proto.SerializeToString())
    write_validation(judge(metrics, eval_config), folder)


def write_validation(result: validation_result_pb2.ValidationResult, folder: str) -> None:
    """Write the verdict into the Evaluation artifact in `folder`."""
    path, unfinished = (
        os.path.join(folder, 'validations.tfrecord'),
        os.path.join(folder, UNFINISHED),
    )
    with atomic_file(path, part_dir=unfinished) as part, tf.io.TFRecordWriter(part) as records:
        records.write(result.SerializeToString())


def judge(
    metrics: Mapping[Slice, MetricValues], eval_config: config_pb2.EvalConfig
) -> validation_result_pb2.ValidationResult:
    """Check the metrics against the bounds.

    TFMA judges and fails closed: a candidate is not blessed if there are no
    bounds, no examples, or no examples of a slice that has a bound. TFMA does not
    check a bound on the baseline or on the data; it is checked here, and a failure is
    added to TFMA's result.

    Args:
        metrics: By slice, from `compute_metrics`; those of the whole split have the overlap
            of the test split, too.
        eval_config: From `resolve_eval_config` or `resolve_safeguards`.

    Returns:
        The result; its `validation_ok` is the verdict.

    Example:
        config = resolve_eval_config(gate, has_baseline=False)
        blessed = judge({(): compute_metrics({'': totals}, config)}, config).validation_ok
    """
    of_tfma = tfma_part(eval_config)
    combine = writer.CombineValidations(of_tfma)
    found = combine.create_accumulator()
    for of_slice in metrics.items():
        validation = metrics_validator.validate_metrics(of_slice, of_tfma)
        found = combine.add_input(found, validation)
    result = combine.extract_output(found)
    for bound in bounds_of(eval_config):
        if not bound.is_checked_by_tfma:
            model = tfma.BASELINE_KEY if bound.of_baseline else _candidate_name(eval_config)
            _check(result, bound, metric_key(bound.metric, model), metrics.get((), {}))
    return result


def _candidate_name(eval_config: config_pb2.EvalConfig) -> str:
    # In TFMA, the name of the only model is empty.
    has_baseline = any(spec.is_baseline for spec in eval_config.model_specs)
    return tfma.CANDIDATE_KEY if has_baseline else ''


def _check(
    result: validation_result_pb2.ValidationResult,
    bound: Bound,
    key: metric_types.MetricKey,
    metrics: MetricValues,
) -> None:
    value = metrics.get(key, math.nan)
    if bound.holds(value):
        return
    result.validation_ok = False
    of_slice = result.metric_validations_per_slice.add()
    of_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(()))
    failure = of_slice.failures.add()
    failure.metric_key.CopyFrom(key.to_proto())
    failure.metric_value.double_value.value = value
    threshold = failure.metric_threshold.value_threshold
    threshold.lower_bound.value = bound.lowest or 0.0
    if bound.highest is not None:
        threshold.upper_bound.value = bound.highest
    failure.message = BASELINE_HINT if bound.of_baseline else OVERLAP_HINT
