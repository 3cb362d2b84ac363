"""Tests of the configuration that TFMA evaluates with, and that is stored for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from components.common import features
from components.evaluator.estimation.estimates import SliceEstimates
from components.evaluator.gate import judge
from components.evaluator.metric_table import METRICS
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import OTHER
from components.evaluator.slices import Slice, SliceKey
from components.evaluator.tfma.eval_config import build_eval_config

_KEYS: list[SliceKey] = [
    (),
    (('length', '1-10'),),
    (('length', '1-10'), ('product', 'tea')),
    (('product', 'tea'),),
    (('product', OTHER),),
    (('stars', 5),),
]
_SLICES = {found.name: found for found in (Slice(key, np.ones(9, np.bool_)) for key in _KEYS)}


def build(thresholds: dict[str, float] | None = None, examples: int = 100, **fields: Any) -> Any:
    """Build a configuration for a gate, with the slices above and a baseline."""
    slices = _SLICES
    gate = GateSettings.model_validate({'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **fields})
    estimates = {name: SliceEstimates(examples, {}, {}, {}) for name in slices}
    patterns = {
        pattern: [n for n, s in slices.items() if tuple(c for c, _ in s.key) == pattern.columns]
        for pattern, _ in gate.slice_bounds()
    }
    rulings = judge(gate, estimates, patterns, test_overlap=0.0)
    return build_eval_config(rulings, slices, thresholds or {}, has_baseline=True)


def thresholds_of(config: Any, metric: str) -> dict[str, dict[str, float]]:
    """Return the bounds of a metric by slice."""
    found = {}
    for each in config.metrics_specs[0].metrics:
        if json.loads(each.config)['name'] == metric:
            for threshold in each.per_slice_thresholds:
                (spec,) = threshold.slicing_specs
                value = threshold.threshold.value_threshold
                change = threshold.threshold.change_threshold
                found[', '.join(f'{k}={v}' for k, v in sorted(spec.feature_values.items()))] = {
                    'lower': value.lower_bound.value,
                    'upper': value.upper_bound.value,
                    'direction': change.direction,
                    'change': change.absolute.value,
                }
    return found


def test_configuration_evaluates_the_served_signature_overall_and_by_slice() -> None:
    config = build()
    for model in config.model_specs:
        assert (model.signature_name, model.prediction_key, model.label_key) == (
            features.EXAMPLES_SIGNATURE,
            features.PROBABILITY_KEY,
            features.LABEL_KEY,
        )
    assert [model.name for model in config.model_specs] == ['candidate', 'baseline']
    first, by_length, *others = config.slicing_specs
    assert (first.ByteSize(), list(by_length.feature_keys)) == (0, ['length'])
    # Rare values share no value of the column.
    assert [dict(spec.feature_values) for spec in others] == [
        {'length': '1-10', 'product': 'tea'},
        {'product': 'tea'},
        {'stars': '5'},
    ]
    (spec,) = config.metrics_specs
    names = [json.loads(metric.config)['name'] for metric in spec.metrics]
    assert names == [metric.name for metric in METRICS]


def test_bounds_are_thresholds_when_tfma_can_express_them() -> None:
    config = build(
        bounds={'loss': {'max': 0.4, 'max_rise': 0.05}, 'calibration': {'min': 0.9}},
        slices={'product': {'recall': {'min': 0.6}}, 'stars=5': {'recall': {'max_drop': 0.1}}},
    )
    higher, lower = 2, 1  # of MetricDirection
    assert thresholds_of(config, 'binary_accuracy') == {
        '': {'lower': 0.8, 'upper': 1.0, 'direction': higher, 'change': -0.02 - 1e-9}
    }
    assert thresholds_of(config, 'loss') == {
        '': {'lower': 0.0, 'upper': 0.4, 'direction': lower, 'change': 0.05 + 1e-9}
    }
    assert thresholds_of(config, 'calibration')['']['upper'] > 1e300
    assert thresholds_of(config, 'recall') == {
        'product=tea': {'lower': 0.6, 'upper': 1.0, 'direction': 0, 'change': 0.0},
        'stars=5': {'lower': 0.0, 'upper': 1.0, 'direction': higher, 'change': -0.1 - 1e-9},
    }


def test_bound_is_no_threshold_when_the_slice_has_too_few_examples() -> None:
    slices = {'product': {'recall': {'min': 0.6}}}
    assert not thresholds_of(build(examples=29, slices=slices), 'recall')
    assert thresholds_of(build(examples=29, slices=slices, small_slices='refuse'), 'recall')


def test_metrics_know_the_decision_thresholds_when_they_are_not_the_default() -> None:
    thresholds = {'candidate': 0.3, 'baseline': 0.5}
    (spec,) = build(thresholds).metrics_specs
    assert all(json.loads(metric.config)['thresholds'] == thresholds for metric in spec.metrics)
    (spec,) = build(dict.fromkeys(thresholds, 0.5)).metrics_specs
    assert all('thresholds' not in json.loads(metric.config) for metric in spec.metrics)
