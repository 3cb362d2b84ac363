"""Tests of the conversion between gate settings and TFMA's configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.errors import ConfigError
from components.evaluator.eval_config import build_eval_config, read_gate
from components.evaluator.metric_table import METRICS
from components.evaluator.settings import GateSettings


def gate(**fields: Any) -> GateSettings:
    return GateSettings(**{'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **fields})


@pytest.mark.parametrize(
    'built',
    [
        gate(),
        gate(min_accuracy=1e-9, max_accuracy_drop=0, min_auc=1, min_baseline_auc=0),
        gate(max_test_overlap_percent=0),
        gate(max_test_overlap_percent=0.1),
        gate(max_test_overlap_percent=100, min_baseline_auc=0.1),
        gate(max_accuracy_drop=0.123456789, slices={'1-10': 0.7, '401+': 1.0}),
    ],
    ids=repr,
)
def test_bounds_are_unchanged_when_written_to_a_configuration_and_read(
    built: GateSettings,
) -> None:
    text = json_format.MessageToJson(build_eval_config(built))
    assert read_gate(json_format.Parse(text, config_pb2.EvalConfig())) == built


def find_threshold(config: config_pb2.EvalConfig, spec: int, metric: int) -> Any:
    return config.metrics_specs[spec].metrics[metric].per_slice_thresholds[0].threshold


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (
            lambda c: c.ClearField('metrics_specs'),
            'max_accuracy_drop, max_test_overlap_percent, min_acc.*, min_auc',
        ),
        (lambda c: c.metrics_specs.pop(), 'no bound min_baseline_auc'),
        (lambda c: find_threshold(c, 0, 0).ClearField('value_threshold'), 'no bound min_accuracy'),
        (
            lambda c: find_threshold(c, 0, 0).ClearField('change_threshold'),
            'no bound max_accuracy_drop',
        ),
        (lambda c: find_threshold(c, 0, 2).Clear(), 'no bound min_auc'),
        (
            lambda c: set_bound(find_threshold(c, 0, 0), 0.0),
            'min_accuracy: .*greater than 0, got 0.0',
        ),
        (
            lambda c: set_bound(find_threshold(c, 0, 0), math.nan),
            'min_accuracy: .*finite number, got nan',
        ),
        (lambda c: set_bound(find_threshold(c, 0, 2), 0.5), 'min_auc: .*greater than 0.5, got 0.5'),
        (
            lambda c: set_bound(find_threshold(c, 2, 0), -1.0),
            'min_baseline_auc: .*or equal to 0, got -1.0',
        ),
        (lambda c: c.metrics_specs.pop(1), 'no bound max_test_overlap_percent'),
        (
            lambda c: set_bound(find_threshold(c, 1, 0), 101.0, 'upper_bound'),
            'max_test_overlap_percent: .*or equal to 100, got 101.0',
        ),
        (
            lambda c: set_bound(find_threshold(c, 1, 0), math.nan, 'upper_bound'),
            'max_test_overlap_percent: .*, got nan',
        ),
    ],
    ids=[
        *('no_metrics', 'baseline', 'accuracy', 'drop', 'auc', 'zero', 'nan', 'chance', 'negative'),
        *('overlap', 'overlap_above_100', 'overlap_nan'),
    ],
)
def test_configuration_is_refused_when_a_bound_is_missing_or_out_of_range(
    spoil: Callable[[config_pb2.EvalConfig], Any], message: str
) -> None:
    config = build_eval_config(gate())
    spoil(config)
    with pytest.raises(ConfigError, match=message):
        read_gate(config)


def set_bound(threshold: Any, bound: float, side: str = 'lower_bound') -> None:
    getattr(threshold.value_threshold, side).value = bound


def test_configuration_evaluates_the_served_signature_overall_and_by_length() -> None:
    config = build_eval_config(gate())
    (model,) = config.model_specs
    assert (model.signature_name, model.prediction_key, model.label_key) == (
        features.EXAMPLES_SIGNATURE,
        features.PROBABILITY_KEY,
        features.LABEL_KEY,
    )
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ['length']]
    spec, *_ = config.metrics_specs
    names = [json.loads(metric.config)['name'] for metric in spec.metrics]
    assert names == [metric.name for metric in METRICS]
