from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_model_analysis.metrics import binary_confusion_matrices

from components.evaluator.estimation.totals import Totals
from components.evaluator.metric_table import EXAMPLE_COUNT, METRICS, Metric, find_metric


def compute_all(found: Totals) -> dict[str, float]:
    """Compute all metrics but the number of examples, which is defined for any predictions."""
    return {m.name: m.compute(found) for m in METRICS if m.name != EXAMPLE_COUNT}


def undefined_metrics(found: Totals) -> set[str]:
    return {name for name, value in compute_all(found).items() if math.isnan(value)}


ALL = set(compute_all(Totals()))
OF_BOTH_LABELS = {'auc', 'auc_precision_recall', 'balanced_accuracy'}


@pytest.mark.parametrize(
    ('name', 'worse', 'better'), [('auc', 0.8, 0.9), ('loss', 0.3, 0.2), ('calibration', 1.2, 0.9)]
)
def test_better_value_is_nearer_to_the_best_one(name: str, worse: float, better: float) -> None:
    metric = find_metric(name)
    assert metric.distance_from_best(better) < metric.distance_from_best(worse)


def totals(*examples: tuple[float, float]) -> Totals:
    found = Totals()
    if examples:
        found.add(*np.array(examples, np.float64).T)
    return found


GOOD = [(0, 0.2), (0, 0.6), (1, 0.7), (1, 0.9)]


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('binary_accuracy', 3 / 4),
        ('loss', -(math.log(0.8) + math.log(0.4) + math.log(0.7) + math.log(0.9)) / 4),
        ('auc', 1.0),
        ('precision', 2 / 3),
        ('recall', 1.0),
        ('specificity', 1 / 2),
        ('f1', 4 / 5),
        ('balanced_accuracy', 3 / 4),
        ('auc_precision_recall', 1.0),
        ('calibration', 2.4 / 2),
        # Each example has its own bin, so the error is the distance from its label.
        ('expected_calibration_error', (0.2 + 0.6 + 0.3 + 0.1) / 4),
    ],
)
def test_metric_equals_that_computed_by_hand(name: str, expected: float) -> None:
    assert find_metric(name).compute(totals(*GOOD)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('examples', 'expected'),
    [
        # Bin 7 of 15, from 7/15 to 8/15: three of mean 0.5, one of them positive.
        ([(1, 0.47), (0, 0.5), (0, 0.53)], abs(1.5 - 1)),
        # Two bins: one confident and wrong, the other right.
        ([(1, 0.47), (0, 0.5), (0, 0.53), (0, 1.0), (1, 0.99)], 0.5 + abs(1.99 - 1)),
        # Errors in one bin cancel, those of different bins do not.
        ([(0, 0.5), (1, 0.5)], 0),
        ([(0, 0.4), (1, 0.6)], 0.4 + 0.4),
        # 1 is in the last bin, 0 in the first; a bound is in the bin above it.
        ([(1, 1.0), (0, 0.0)], 0),
        ([(1, 0.2), (0, 0.199)], 0.8 + 0.199),
    ],
)
def test_calibration_error_equals_that_computed_by_hand(
    examples: list[tuple[float, float]], expected: float
) -> None:
    found = find_metric('expected_calibration_error').compute(totals(*examples))
    assert found == pytest.approx(expected / len(examples), abs=1e-12)


def test_area_under_precision_recall_curve_equals_that_of_tfma() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=300)
    # In the middle between the thresholds, because TFMA counts a threshold itself as below it.
    predictions = (rng.integers(3_000, size=300) + labels * 1_500 + 0.5) / 9_999
    thresholds = np.array([-1e-7, *np.arange(1, 9_999) / 9_999, 1 + 1e-7])
    above = predictions > thresholds[:, None]
    matrices = binary_confusion_matrices.Matrices(
        thresholds=thresholds.tolist(),
        tp=(above & (labels == 1)).sum(axis=1),
        fp=(above & (labels == 0)).sum(axis=1),
        tn=(~above & (labels == 0)).sum(axis=1),
        fn=(~above & (labels == 1)).sum(axis=1),
    )
    theirs = tfma.metrics.AUCPrecisionRecall()._metric_value(
        'PR', 'interpolation', tfma.metrics.MetricKey('auc_precision_recall'), matrices
    )
    found = Totals()
    found.add(labels, predictions)
    assert 0.5 < theirs < 0.95
    assert find_metric('auc_precision_recall').compute(found) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ('name', 'expected'), [('binary_accuracy', 3 / 4), ('precision', 1.0), ('recall', 1 / 2)]
)
def test_decisions_use_the_threshold_and_it_is_itself_negative(name: str, expected: float) -> None:
    found = Totals()
    found.add(*np.array(GOOD, np.float64).T, threshold=0.7)
    assert find_metric(name).compute(found) == expected


def test_threshold_changes_no_metric_that_needs_no_decisions() -> None:
    found = Totals()
    found.add(*np.array(GOOD, np.float64).T, threshold=0.7)
    before, after = compute_all(totals(*GOOD)), compute_all(found)
    assert {name for name in before if before[name] != after[name]} == {
        'precision',
        'recall',
        'specificity',
        'f1',
    }


@pytest.mark.parametrize('metric', METRICS, ids=lambda metric: metric.name)
def test_bounds_that_make_sense_follow_from_the_direction(metric: Metric) -> None:
    assert (
        metric.bound_kinds
        == {
            'higher is better': ('min', 'max_drop'),
            'lower is better': ('max', 'max_rise'),
            '1 is best': ('min', 'max'),
            '': (),
        }[metric.direction]
    )


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=50),
    st.floats(0, 1),
)
def test_values_are_in_their_range(examples: list[tuple[float, float]], threshold: float) -> None:
    found = Totals()
    found.add(*np.array(examples, np.float64).T, threshold=threshold)
    for name, value in compute_all(found).items():
        assert math.isnan(value) or 0 <= value <= find_metric(name).highest + 1e-12


def test_loss_and_accuracy_equal_those_of_keras_when_the_model_is_saturated() -> None:
    # The loss of TFMA is NaN here.
    examples = [(0, 0.0), (1, 1.0), (0, 1.0), (1, 0.0), (0, 0.5), (1, 0.5)]
    found = compute_all(totals(*examples))
    labels, predictions = np.array(examples, np.float64).T[:, :, None]
    expected = keras.losses.BinaryCrossentropy()(labels, predictions)
    assert found['loss'] == pytest.approx(float(expected), rel=0.01)  # Keras clips in float32
    measured = keras.metrics.BinaryAccuracy(threshold=0.5)
    assert found['binary_accuracy'] == pytest.approx(float(measured(labels, predictions)))


def test_metrics_do_not_depend_on_order_and_parts() -> None:
    rng = np.random.default_rng(1)
    examples = [(float(rng.integers(2)), float(rng.random())) for _ in range(2_345)]
    whole, parts = totals(*examples), totals(*examples[:1_500])
    parts.merge(totals(*examples[1_500:]))
    parts.merge(totals())
    backwards = totals(*reversed(examples))
    # Equal to the last bit.
    assert compute_all(parts) == compute_all(whole) == compute_all(backwards)


@pytest.mark.parametrize('bad', [(1, math.nan), (0, 1.1), (0, -0.1), (2, 0.5), (math.nan, 0.5)])
@pytest.mark.parametrize('where', ['among the first', 'in a later batch', 'in another part'])
def test_metrics_are_nan_when_a_prediction_or_label_is_invalid(
    bad: tuple[float, float], where: str
) -> None:
    found = totals(bad, *GOOD) if where == 'among the first' else totals(*GOOD)
    if where == 'in a later batch':
        found.add(np.array([bad[0], 1]), np.array([bad[1], 0.9]))
    elif where == 'in another part':
        found.merge(totals(bad))
    found.merge(totals(*GOOD))
    assert undefined_metrics(found) == ALL
    count = {'among the first': 9, 'in a later batch': 10, 'in another part': 9}[where]
    assert find_metric(EXAMPLE_COUNT).compute(found) == count
    assert found.unscored == 1


@pytest.mark.parametrize(
    ('examples', 'undefined'),
    [
        ([], ALL),
        ([(0, 0.1)], {*OF_BOTH_LABELS, 'precision', 'recall', 'f1', 'calibration'}),
        ([(0, 0.9)], {*OF_BOTH_LABELS, 'recall', 'calibration'}),
        ([(1, 0.1)], {*OF_BOTH_LABELS, 'precision', 'specificity'}),
        ([(1, 0.9)], {*OF_BOTH_LABELS, 'specificity'}),
    ],
)
def test_metric_is_nan_when_it_is_undefined(examples: list[Any], undefined: set[str]) -> None:
    assert undefined_metrics(totals(*examples)) == undefined
