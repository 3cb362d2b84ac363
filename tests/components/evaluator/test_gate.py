from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.errors import ConfigError
from components.common.settings import GateSettings
from components.evaluator.eval_config import build_eval_config, read_gate, resolve_eval_config
from components.evaluator.gate import judge
from components.evaluator.metric_table import ACCURACY, AUC, METRICS

OVERALL = ''
Values = Mapping[str, float | None]


def gate(**fields: Any) -> GateSettings:
    return GateSettings(**{'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **fields})


def key(name: str, model: str, *, is_diff: bool = False) -> metric_types.MetricKey:
    return metric_types.MetricKey(
        name=name, model_name=model, is_diff=is_diff, example_weighted=False
    )


def metrics_of(of_model: Values, of_baseline: Values | None) -> dict[metric_types.MetricKey, float]:
    """Return the metrics of a slice in TFMA's form; None is a missing metric."""
    if of_baseline is None:
        return {key(name, ''): v for name, v in of_model.items() if v is not None}
    metrics = {}
    for name, value in of_model.items():
        before = of_baseline.get(name)
        if before is not None:
            metrics[key(name, tfma.BASELINE_KEY)] = before
        if value is not None:
            metrics[key(name, tfma.CANDIDATE_KEY)] = value
            metrics[key(name, tfma.CANDIDATE_KEY, is_diff=True)] = value - (
                math.nan if before is None else before
            )
    return metrics


def is_blessed(
    gate: GateSettings,
    accuracy: Mapping[str, float | None],
    baseline: Mapping[str, float] | None = None,
    *,
    auc: float | None = 0.9,
    baseline_auc: float | None = 0.9,
) -> bool:
    """Judge accuracies by slice, overall under the empty name."""
    config = resolve_eval_config(gate, has_baseline=baseline is not None)
    found = {}
    for name, value in accuracy.items():
        of_baseline = baseline and {ACCURACY: baseline.get(name, 0.0), AUC: baseline_auc}
        found[((features.LENGTH_KEY, name),) if name else ()] = metrics_of(
            {ACCURACY: value, AUC: auc}, of_baseline
        )
    return bool(judge(found, config).validation_ok)


@pytest.mark.parametrize(
    ('accuracy', 'baseline', 'blessed'),
    [
        # Against the lower bound alone.
        (0.9, None, True),
        (0.8, None, True),
        (math.nextafter(0.8, 0), None, False),
        (0.5, None, False),
        (0.0, None, False),
        (math.nan, None, False),
        (None, None, False),
        # Against the baseline as well.
        (0.95, 0.9, True),
        (0.9, 0.9, True),
        (0.89, 0.9, True),
        (0.8799, 0.9, False),
        (0.81, 0.9, False),
        (0.79, 0.79, False),  # no worse, but below the bound
        (0.79, 0.5, False),
        (math.nan, 0.9, False),
        (None, 0.9, False),
        (0.9, math.nan, False),
    ],
)
def test_candidate_is_blessed_only_when_it_meets_both_bounds(
    accuracy: float | None, baseline: float | None, blessed: bool
) -> None:
    of_baseline = None if baseline is None else {OVERALL: baseline}
    assert is_blessed(gate(), {OVERALL: accuracy}, of_baseline) is blessed


@pytest.mark.parametrize(
    ('right', 'right_before', 'examples', 'drop'),
    [(50, 75, 100, 0.25), (88, 90, 100, 0.02), (21_500, 21_750, 25_000, 0.01), (9, 10, 10, 0.1)],
)
def test_candidate_is_blessed_when_it_is_worse_by_just_what_is_allowed(
    right: int, right_before: int, examples: int, drop: float
) -> None:
    bounds = gate(min_accuracy=0.1, max_accuracy_drop=drop)
    before = {OVERALL: right_before / examples}
    assert is_blessed(bounds, {OVERALL: right / examples}, before)
    assert not is_blessed(bounds, {OVERALL: (right - 1) / examples}, before)


@pytest.mark.parametrize(
    ('accuracy', 'blessed'),
    [
        ({OVERALL: 0.8, '1-10': 0.7}, True),
        ({OVERALL: 0.9, '1-10': 0.8, '11-50': 0.1}, True),
        ({OVERALL: 0.9, '1-10': 0.69}, False),
        ({OVERALL: 0.9, '1-10': math.nan}, False),
        ({OVERALL: 0.9, '1-10': None}, False),
        ({OVERALL: 0.9}, False),  # no such example
        ({OVERALL: 0.9, '11-50': 0.9}, False),
        ({OVERALL: 0.79, '1-10': 0.9}, False),
    ],
)
@pytest.mark.parametrize('has_baseline', [False, True])
def test_candidate_is_blessed_only_when_the_slice_meets_its_bound(
    accuracy: dict[str, float | None], blessed: bool, has_baseline: bool
) -> None:
    # The baseline was far better on the slice, whose change has no bound.
    baseline = {OVERALL: 0.8, '1-10': 1.0, '11-50': 1.0} if has_baseline else None
    assert is_blessed(gate(slices={'1-10': 0.7}), accuracy, baseline) is blessed


@pytest.mark.parametrize('baseline', [None, {OVERALL: 0.8, '1-10': 0.9, '401+': 0.9}])
def test_bound_on_all_of_test_spares_slices_when_they_are_worse(
    baseline: dict[str, float] | None,
) -> None:
    accuracy = {OVERALL: 0.8, '1-10': 0.1, '401+': math.nan}
    assert is_blessed(gate(), accuracy, baseline)


@pytest.mark.parametrize('has_baseline', [False, True])
def test_candidate_is_not_blessed_when_there_are_only_slices_or_nothing(
    has_baseline: bool,
) -> None:
    baseline = {'1-10': 0.9} if has_baseline else None
    assert not is_blessed(gate(), {'1-10': 0.9}, baseline)
    assert not is_blessed(gate(), {}, baseline)


@pytest.mark.parametrize(
    ('auc', 'blessed'),
    [
        (1.0, True),
        (0.7, True),
        (math.nextafter(0.7, 0), False),
        (0.5, False),
        (0.0, False),
        (math.nan, False),
        (None, False),
        (math.inf, False),
        (1.5, False),
    ],
)
@pytest.mark.parametrize('has_baseline', [False, True])
def test_candidate_is_blessed_only_when_it_ranks_well_enough(
    auc: float | None, blessed: bool, has_baseline: bool
) -> None:
    baseline = {OVERALL: 0.8} if has_baseline else None
    assert is_blessed(gate(), {OVERALL: 0.95}, baseline, auc=auc) is blessed


@pytest.mark.parametrize(
    ('baseline_auc', 'lowest', 'blessed'),
    [
        (0.9, 0.5, True),
        (0.5, 0.5, True),
        (math.nextafter(0.5, 0), 0.5, False),
        (0.05, 0.5, False),
        (0.05, 0.0, True),
        (0.9, 0.95, False),
        (math.nan, 0.0, False),
        (None, 0.0, False),
        (math.inf, 0.5, False),
    ],
)
def test_candidate_is_blessed_only_when_the_baseline_ranks_better_than_chance(
    baseline_auc: float | None, lowest: float, blessed: bool
) -> None:
    bounds = gate(min_baseline_auc=lowest)
    found = is_blessed(bounds, {OVERALL: 0.95}, {OVERALL: 0.1}, baseline_auc=baseline_auc)
    assert found is blessed
    assert is_blessed(bounds, {OVERALL: 0.95})  # nothing is demanded of what there is not


def test_validation_result_has_the_reason_when_the_baseline_ranks_worse_than_chance() -> None:
    config = resolve_eval_config(gate(), has_baseline=True)
    metrics = metrics_of({ACCURACY: 0.9, AUC: 0.95}, {ACCURACY: 0.1, AUC: 0.04})
    result = judge({(): metrics}, config)
    (of_slice,) = result.metric_validations_per_slice
    (failure,) = of_slice.failures
    assert failure.metric_key.name == AUC
    assert failure.metric_key.model_name == tfma.BASELINE_KEY
    assert failure.metric_value.double_value.value == 0.04
    assert failure.metric_threshold.value_threshold.lower_bound.value == 0.5
    assert 'labels may be swapped' in failure.message


@pytest.mark.parametrize('has_baseline', [False, True])
def test_nothing_is_blessed_when_the_configuration_has_no_bounds(has_baseline: bool) -> None:
    config = resolve_eval_config(gate(), has_baseline=has_baseline)
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            del metric.per_slice_thresholds[:]
    perfect = metrics_of({ACCURACY: 1.0, AUC: 1.0}, {ACCURACY: 1.0, AUC: 1.0})
    alone = metrics_of({ACCURACY: 1.0, AUC: 1.0}, None)
    result = judge({(): perfect if has_baseline else alone}, config)
    assert not result.validation_ok
    assert result.missing_thresholds
    assert not result.rubber_stamp


@pytest.mark.parametrize(
    'built',
    [
        gate(),
        gate(min_accuracy=1e-9, max_accuracy_drop=0, min_auc=1, min_baseline_auc=0),
        gate(max_accuracy_drop=0.123456789, slices={'1-10': 0.7, '401+': 1.0}),
    ],
    ids=repr,
)
def test_bounds_are_read_from_the_configuration_as_they_were_written(
    built: GateSettings,
) -> None:
    text = json_format.MessageToJson(build_eval_config(built))
    assert read_gate(json_format.Parse(text, config_pb2.EvalConfig())) == built


def _of(config: config_pb2.EvalConfig, spec: int, metric: int) -> Any:
    return config.metrics_specs[spec].metrics[metric].per_slice_thresholds[0].threshold


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda c: c.ClearField('metrics_specs'), 'max_accuracy_drop, min_accuracy, min_auc'),
        (lambda c: c.metrics_specs.pop(), 'no bound min_baseline_auc'),
        (lambda c: _of(c, 0, 0).ClearField('value_threshold'), 'no bound min_accuracy'),
        (lambda c: _of(c, 0, 0).ClearField('change_threshold'), 'no bound max_accuracy_drop'),
        (lambda c: _of(c, 0, 2).Clear(), 'no bound min_auc'),
        (lambda c: _set(_of(c, 0, 0), 0.0), 'min_accuracy: .*greater than 0, got 0.0'),
        (lambda c: _set(_of(c, 0, 0), math.nan), 'min_accuracy: .*finite number, got nan'),
        (lambda c: _set(_of(c, 0, 2), 0.5), 'min_auc: .*greater than 0.5, got 0.5'),
        (lambda c: _set(_of(c, 1, 0), -1.0), 'min_baseline_auc: .*or equal to 0, got -1.0'),
    ],
    ids=['no_metrics', 'baseline', 'accuracy', 'drop', 'auc', 'zero', 'nan', 'chance', 'negative'],
)
def test_configuration_is_refused_when_a_bound_is_missing_or_out_of_range(
    spoil: Callable[[config_pb2.EvalConfig], Any], message: str
) -> None:
    config = build_eval_config(gate())
    spoil(config)
    with pytest.raises(ConfigError, match=message):
        read_gate(config)


def _set(threshold: Any, bound: float) -> None:
    threshold.value_threshold.lower_bound.value = bound


def test_served_signature_is_judged_overall_and_by_length_when_the_config_is_built() -> None:
    config = build_eval_config(gate())
    (model,) = config.model_specs
    assert (model.signature_name, model.prediction_key, model.label_key) == (
        features.EXAMPLES_SIGNATURE,
        features.PROBABILITY_KEY,
        features.LABEL_KEY,
    )
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ['length']]
    spec, _ = config.metrics_specs
    names = [json.loads(metric.config)['name'] for metric in spec.metrics]
    assert names == [metric.name for metric in METRICS]
