"""Writes the files of an evaluation in TFMA's format, and reads those that TFMA wrote."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from components.common.atomic_write import UNFINISHED, atomic_file, atomic_write
from components.evaluator.estimation.estimates import SliceEstimates
from components.evaluator.evaluation import number_or_none
from components.evaluator.gate import Ruling, is_blessed
from components.evaluator.metric_table import BASELINE_PREFIX, TEST_OVERLAP
from components.evaluator.slice_patterns import parse_slice
from components.evaluator.slices import Slice
from components.evaluator.tfma.metrics import metric_key

CONFIG_FILE = 'eval_config.json'

MetricValues = dict[metric_types.MetricKey, float]
# Scalar metrics by slice, as TFMA stores them; the key of the whole test split is ().
Values = Mapping[tuple[Any, ...], Mapping[metric_types.MetricKey, float | None]]


def write_tfma_files(
    folder: str,
    config: config_pb2.EvalConfig,
    models: Mapping[str, str],
    estimates: Mapping[str, SliceEstimates],
    *,
    slices: Mapping[str, Slice],
    rulings: Iterable[Ruling],
    test_overlap: float,
) -> None:
    """Write configuration, metrics and verdict, as TFMA's loaders read them.

    Args:
        folder: Folder of the Evaluation artifact.
        config: TFMA's configuration, with defaults.
        models: Paths of the SavedModels by name of the model.
        estimates: Metrics by slice.
        slices: The slices by name.
        rulings: The result of each bound.
        test_overlap: Percentage of the texts of `test` that are also in `train` or `val`, NaN
            if it is not known.
    """
    has_baseline = len(models) > 1
    unfinished = os.path.join(folder, UNFINISHED)
    # In TFMA, the name of the only model is empty.
    locations = dict(models) if has_baseline else dict(zip([''], models.values()))
    run = config_pb2.EvalRun(
        eval_config=config, version=tfma.version.VERSION, model_locations=locations
    )
    text = json_format.MessageToJson(run)
    atomic_write(os.path.join(folder, CONFIG_FILE), text.encode(), part_dir=unfinished)
    path = os.path.join(folder, 'metrics-00000-of-00001.tfrecord')
    with atomic_file(path, part_dir=unfinished) as part, tf.io.TFRecordWriter(part) as records:
        for name, found in estimates.items():
            if not found.examples:
                continue
            values = _to_values(found)
            if not name:
                values[metric_key(TEST_OVERLAP, _candidate_name(has_baseline))] = test_overlap
            proto = writer.convert_slice_metrics_to_proto((slices[name].key, values), None)
            records.write(proto.SerializeToString())
    write_validation(to_validation(rulings, slices, has_baseline=has_baseline), folder)


def to_validation(
    rulings: Iterable[Ruling], slices: Mapping[str, Slice], *, has_baseline: bool
) -> validation_result_pb2.ValidationResult:
    """Return the results of bounds as TFMA's result; its `validation_ok` is the verdict."""
    rulings = list(rulings)
    result = validation_result_pb2.ValidationResult(validation_ok=is_blessed(rulings))
    failures: dict[str, Any] = {}
    for ruling in rulings:
        check = ruling.check
        if check.passed:
            continue
        if check.slice and check.slice not in slices:
            pattern = parse_slice(check.slice)
            missing = config_pb2.SlicingSpec()
            for column, value in pattern.feature_values().items():
                if value is None:
                    missing.feature_keys.append(column)
                else:
                    missing.feature_values[column] = value
            if missing not in result.missing_slices:
                result.missing_slices.append(missing)
            continue
        if check.slice not in failures:
            of_slice = failures[check.slice] = result.metric_validations_per_slice.add()
            key = slices[check.slice].key if check.slice else ()
            of_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(key))
        _add_failure(failures[check.slice], ruling, has_baseline=has_baseline)
    return result


def write_validation(result: validation_result_pb2.ValidationResult, folder: str) -> None:
    """Write the verdict into the Evaluation artifact in `folder`."""
    path, unfinished = (
        os.path.join(folder, 'validations.tfrecord'),
        os.path.join(folder, UNFINISHED),
    )
    with atomic_file(path, part_dir=unfinished) as part, tf.io.TFRecordWriter(part) as records:
        records.write(result.SerializeToString())


def read_config(folder: str) -> config_pb2.EvalConfig:
    """Read the configuration of an evaluation, with defaults."""
    with tf.io.gfile.GFile(os.path.join(folder, CONFIG_FILE)) as file:
        return json_format.Parse(file.read(), config_pb2.EvalRun()).eval_config


def read_values(folder: str) -> Values:
    """Read the scalar metrics of each slice from the files of TFMA; NaN is None."""
    found: dict[tuple[Any, ...], dict[metric_types.MetricKey, float | None]] = {}
    for record in tfma.load_metrics(folder):
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
                of_slice[metric_types.MetricKey.from_proto(item.key)] = number_or_none(number.value)
    return found


def _candidate_name(has_baseline: bool) -> str:
    return tfma.CANDIDATE_KEY if has_baseline else ''


def _to_values(found: SliceEstimates) -> MetricValues:
    def number(value: float | None) -> float:
        return math.nan if value is None else value

    candidate = _candidate_name(found.baseline is not None)
    values = {
        metric_key(name, candidate): number(each.value) for name, each in found.candidate.items()
    }
    for name, each in (found.baseline or {}).items():
        values[metric_key(name, tfma.BASELINE_KEY)] = number(each.value)
        value = found.candidate[name].value
        values[metric_key(name, candidate).make_diff_key()] = number(value) - number(each.value)
    return values


def _add_failure(of_slice: Any, ruling: Ruling, *, has_baseline: bool) -> None:
    check, failure = ruling.check, of_slice.failures.add()
    is_change = ruling.kind in {'max_drop', 'max_rise'}
    name = check.metric.removeprefix(BASELINE_PREFIX)
    model = tfma.BASELINE_KEY if ruling.model == 'baseline' else _candidate_name(has_baseline)
    key = metric_key(name, model)
    failure.metric_key.CopyFrom((key.make_diff_key() if is_change else key).to_proto())
    failure.metric_value.double_value.value = (
        math.nan if ruling.compared is None else ruling.compared
    )
    threshold = failure.metric_threshold
    if ruling.kind == 'min':
        threshold.value_threshold.lower_bound.value = ruling.limit
    elif ruling.kind == 'max':
        threshold.value_threshold.upper_bound.value = ruling.limit
    else:
        directions = config_pb2.MetricDirection
        is_drop = ruling.kind == 'max_drop'
        threshold.change_threshold.direction = (
            directions.HIGHER_IS_BETTER if is_drop else directions.LOWER_IS_BETTER
        )
        threshold.change_threshold.absolute.value = -ruling.limit if is_drop else ruling.limit
    failure.message = check.hint or f'expected {check.bound}'
