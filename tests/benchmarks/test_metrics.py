"""Metrics of the benchmarks, against values calculated by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import metrics


def test_ece_weights_the_gap_of_each_bin_when_calculated_by_hand() -> None:
    # Bins of 1/15. [.6, .667): mean .62 against 1/2, 2 of 4. [.0, .067): .03 against 0, 1 of 4.
    # The last one, 1.0 itself included: 1 against 1.
    labels, probabilities = [1, 0, 0, 1], [0.61, 0.63, 0.03, 1.0]
    expected = 0.5 * 0.12 + 0.25 * 0.03
    assert metrics.quality(labels, probabilities)['ece'] == pytest.approx(expected)


def test_ece_is_small_when_probabilities_are_true_and_large_when_they_are_not() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.random(200_000)
    labels = (rng.random(200_000) < probabilities).astype(int)
    assert metrics.quality(labels, probabilities)['ece'] < 0.01
    assert metrics.quality(labels, np.sqrt(probabilities))['ece'] == pytest.approx(1 / 6, abs=0.01)


def test_accuracy_and_loss_use_the_probability_of_the_positive_label() -> None:
    found = metrics.quality([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.5])
    assert found['accuracy'] == 0.75
    losses = [0.9, 0.9, 0.4, 0.5]
    assert found['auc'] == 0.75
    assert found['average_precision'] == pytest.approx((1 + 2 / 3) / 2)
    assert found['log_loss'] == pytest.approx(-sum(math.log(value) for value in losses) / 4)
    assert found['examples'] == 4


def test_rounding_errors_are_clipped() -> None:
    assert metrics.quality([0, 1], [0.0, 1.00001])['accuracy'] == 1


@pytest.mark.parametrize(
    ('probabilities', 'message'),
    [
        ([-2.0, 3.0], 'probabilities in'),
        ([0.5, math.nan], 'probabilities in'),
        ([0.5], 'inconsistent numbers of samples'),
    ],
)
def test_probabilities_are_refused_when_invalid(probabilities: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.quality([0, 1], probabilities)
