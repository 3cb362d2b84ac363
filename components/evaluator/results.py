"""From the totals of each slice to what TFMA reads: metrics, validation, configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from components.evaluator.metrics import Totals, totals_key

# As TFMA has it: (feature, value) pairs; all of the examples are the slice ().
Slice = tuple[tuple[str, str], ...]
Metrics = dict[metric_types.MetricKey, float]


def compute_metrics(totals: Mapping[str, Totals], eval_config: tfma.EvalConfig) -> Metrics:
    """Compute what the configuration lists, for one slice.

    Args:
        totals: By name of the model, as the configuration names them.
        eval_config: TFMA's, with defaults.

    Returns:
        The metrics of each model, and where there is a baseline, how much the
        candidate's are above the baseline's.
    """
    # Listed first by TFMA are the totals, which are here already.
    values = {totals_key(name): found for name, found in totals.items()}
    metrics: Metrics = {}
    for computation in metric_specs.to_computations(
        list(eval_config.metrics_specs), eval_config=eval_config
    ):
        if isinstance(computation, metric_types.DerivedMetricComputation):
            metrics.update(computation.result(values))
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
    eval_config: tfma.EvalConfig,
    model_locations: Mapping[str, str],
    folder: str,
) -> None:
    """Judge, and write all under the names that TFMA's loaders look for.

    The judgement is TFMA's, which fails closed: without examples, or without
    those of a slice that has a bound, nothing is validated.

    Args:
        totals: By slice and name of the model.
        eval_config: TFMA's, with defaults.
        model_locations: By name of the model, the path of its SavedModel.
        folder: Where to.
    """
    tf.io.gfile.makedirs(folder)
    run = config_pb2.EvalRun(
        eval_config=eval_config,
        version=tfma.version.VERSION,
        model_locations=dict(model_locations),
    )
    with tf.io.gfile.GFile(os.path.join(folder, 'eval_config.json'), 'w') as file:
        file.write(json_format.MessageToJson(run))
    judge = writer.CombineValidations(eval_config)
    verdict = judge.create_accumulator()
    path = os.path.join(folder, 'metrics-00000-of-00001.tfrecord')
    with tf.io.TFRecordWriter(path) as records:
        for where, of_models in sorted(totals.items()):
            metrics = compute_metrics(of_models, eval_config)
            verdict = judge.add_input(
                verdict, metrics_validator.validate_metrics((where, metrics), eval_config)
            )
            proto = writer.convert_slice_metrics_to_proto((where, metrics), None)
            records.write(proto.SerializeToString())
    with tf.io.TFRecordWriter(os.path.join(folder, 'validations.tfrecord')) as records:
        records.write(judge.extract_output(verdict).SerializeToString())
