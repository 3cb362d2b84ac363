from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from components import features
from components.evaluator.config import ACCURACY, EXAMPLE_COUNT, LOSS, build_eval_config
from components.settings import GateSettings

OVERALL = ''
METRICS = {
    ACCURACY,
    LOSS,
    EXAMPLE_COUNT,
    'auc',
    'precision',
    'recall',
    'calibration',
    'expected_calibration_error',
}


def resolved_config(gate: GateSettings, *, has_baseline: bool) -> tfma.EvalConfig:
    """Return the configuration as TFX's Evaluator uses it."""
    config = tfma.utils.update_eval_config_with_defaults(
        build_eval_config(gate), has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    return config


def key(name: str, model: str, *, is_diff: bool = False) -> metric_types.MetricKey:
    return metric_types.MetricKey(
        name=name, model_name=model, is_diff=is_diff, example_weighted=False
    )


def metrics_of(accuracy: float | None, baseline: float | None) -> dict[metric_types.MetricKey, Any]:
    """Return what TFMA hands its validator; None: it could not tell the accuracy."""
    if baseline is None:
        return {} if accuracy is None else {key(ACCURACY, ''): accuracy}
    metrics = {key(ACCURACY, tfma.BASELINE_KEY): baseline}
    if accuracy is not None:
        metrics[key(ACCURACY, tfma.CANDIDATE_KEY)] = accuracy
        metrics[key(ACCURACY, tfma.CANDIDATE_KEY, is_diff=True)] = accuracy - baseline
    return metrics


def is_blessed(
    gate: GateSettings,
    accuracy: Mapping[str, float | None],
    baseline: Mapping[str, float] | None = None,
) -> bool:
    """Let TFMA judge accuracies by slice, overall under the empty name."""
    config = resolved_config(gate, has_baseline=baseline is not None)
    combine = writer.CombineValidations(config, rubber_stamp=True)
    total = combine.create_accumulator()
    for name, value in accuracy.items():
        where = ((features.LENGTH_KEY, name),) if name else ()
        metrics = metrics_of(value, None if baseline is None else baseline.get(name, 0.0))
        total = combine.add_input(
            total, metrics_validator.validate_metrics((where, metrics), config)
        )
    return bool(combine.extract_output(total).validation_ok)


def gate(**fields: Any) -> GateSettings:
    return GateSettings(**{'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **fields})


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


def test_thresholds_are_on_accuracy_alone_when_they_are_listed() -> None:
    config = resolved_config(gate(slices={'1-10': 0.7}), has_baseline=True)
    thresholds = tfma.metrics.metric_thresholds_from_metrics_specs(
        config.metrics_specs, eval_config=config
    )
    candidates = {k for k in thresholds if k.model_name != tfma.BASELINE_KEY}
    assert candidates == {
        key(ACCURACY, tfma.CANDIDATE_KEY),
        key(ACCURACY, tfma.CANDIDATE_KEY, is_diff=True),
    }


def test_served_signature_is_judged_overall_and_by_length_when_the_config_is_built() -> None:
    config = build_eval_config(gate())
    (model,) = config.model_specs
    assert (model.signature_name, model.prediction_key, model.label_key) == (
        features.EXAMPLES_SIGNATURE,
        features.PROBABILITY_KEY,
        features.LABEL_KEY,
    )
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ['length']]
    (spec,) = config.metrics_specs
    assert {metric.config for metric in spec.metrics} == {f'{{"name": "{n}"}}' for n in METRICS}
