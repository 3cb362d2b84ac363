from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluator.metric_table import EXAMPLE_COUNT, METRICS, find_metric
from components.evaluator.totals import Totals


def compute_all(found: Totals) -> dict[str, float]:
    """Compute all metrics but the number of examples, which is defined for any predictions."""
    return {m.name: m.compute(found) for m in METRICS if m.name != EXAMPLE_COUNT}


def undefined_metrics(found: Totals) -> set[str]:
    return {name for name, value in compute_all(found).items() if math.isnan(value)}


ALL = set(compute_all(Totals()))


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
        ([(0, 0.1)], {'auc', 'precision', 'recall', 'calibration'}),
        ([(0, 0.9)], {'auc', 'recall', 'calibration'}),
        ([(1, 0.1)], {'auc', 'precision'}),
        ([(1, 0.9)], {'auc'}),
    ],
)
def test_metric_is_nan_when_it_is_undefined(examples: list[Any], undefined: set[str]) -> None:
    assert undefined_metrics(totals(*examples)) == undefined
