from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import metrics


def test_auc_is_the_share_of_pairs_in_order_when_calculated_by_hand() -> None:
    # Pairs: .8 beats .2 and .4, .4 beats .2 and ties with .4, .1 beats none: 3.5 of 6.
    labels = [0, 0, 1, 1, 1]
    assert metrics.quality(labels, [0.2, 0.4, 0.8, 0.4, 0.1])['auc'] == pytest.approx(3.5 / 6)


@pytest.mark.parametrize(
    ('probabilities', 'auc'), [([0.1, 0.2, 0.9], 1.0), ([0.9, 0.8, 0.1], 0.0), ([0.5] * 3, 0.5)]
)
def test_auc_is_a_bound_or_a_half_when_order_is_perfect_reversed_or_absent(
    probabilities: list[float], auc: float
) -> None:
    assert metrics.quality([0, 0, 1], probabilities)['auc'] == auc


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


def test_accuracy_and_loss_are_those_of_the_positive_label() -> None:
    found = metrics.quality([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.5])
    assert found['accuracy'] == 0.75
    losses = [0.9, 0.9, 0.4, 0.5]
    assert found['log_loss'] == pytest.approx(-sum(math.log(value) for value in losses) / 4)
    assert found['examples'] == 4


def test_rounding_errors_are_clipped_and_logits_refused() -> None:
    assert metrics.quality([0, 1], [0.0, 1.00001])['accuracy'] == 1
    with pytest.raises(ValueError, match='probabilities in'):
        metrics.quality([0, 1], [-2.0, 3.0])
    with pytest.raises(ValueError, match='probabilities in'):
        metrics.quality([0, 1], [0.5, math.nan])
    with pytest.raises(ValueError, match='expected one probability per label'):
        metrics.quality([0, 1], [0.5])


def test_average_precision_is_the_mean_of_precisions_when_calculated_by_hand() -> None:
    # Found at ranks 1 and 3, then one of two that tie at 4 and 5: 1, 2/3 and 3/5.
    labels, probabilities = np.array([1.0, 0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.2, 0.2])
    found = metrics.average_precision(labels, probabilities)
    assert found == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_average_precision_is_the_share_of_positives_when_there_is_no_order() -> None:
    labels = np.array([1.0, 0, 0, 0])
    assert metrics.average_precision(labels, np.full(4, 0.3)) == pytest.approx(0.25)
