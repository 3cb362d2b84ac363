from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from components.evaluator.estimation.intervals import (
    Interval,
    mean_of_two,
    on_log_scale,
    on_logit_scale,
    tango,
    wilson,
)

LEVELS = (0.8, 0.95, 0.99)


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize(('successes', 'trials'), [(0, 1), (1, 1), (3, 7), (0, 50), (990, 1_000)])
def test_wilson_interval_equals_that_of_scipy(successes: int, trials: int, level: float) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(level, method='wilson')
    found = wilson(successes / trials, trials, level)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= successes / trials <= found.high


def score_statistic(gained: int, lost: int, pairs: int, difference: float) -> float:
    """Compute Tango's statistic by maximising the likelihood numerically."""

    def negative_log_likelihood(probability: float) -> float:
        other = probability + difference
        cells = ((lost, probability), (gained, other))
        cells += ((pairs - gained - lost, 1 - probability - other),)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in cells if n)

    low, high = max(0.0, -difference), (1 - difference) / 2
    best = optimize.minimize_scalar(
        negative_log_likelihood, bounds=(low, high), method='bounded', options={'xatol': 1e-12}
    ).x
    variance = pairs * (2 * best + difference - difference**2)
    return (gained - lost - pairs * difference) / math.sqrt(variance)


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize(
    ('gained', 'lost', 'pairs'), [(1, 7, 44), (5, 5, 20), (30, 4, 100), (2, 1, 3), (60, 90, 2_000)]
)
def test_ends_of_tango_interval_are_where_the_score_test_changes(
    gained: int, lost: int, pairs: int, level: float
) -> None:
    quantile = stats.norm.ppf((1 + level) / 2)
    low, high = tango(gained, lost, pairs, level)
    assert score_statistic(gained, lost, pairs, low) == pytest.approx(quantile, abs=1e-4)
    assert score_statistic(gained, lost, pairs, high) == pytest.approx(-quantile, abs=1e-4)


@pytest.mark.parametrize('pairs', [1, 10, 25_000])
def test_tango_interval_has_a_width_when_no_pair_is_discordant(pairs: int) -> None:
    end = stats.norm.ppf(0.975) ** 2 / (pairs + stats.norm.ppf(0.975) ** 2)
    assert tango(0, 0, pairs, 0.95) == pytest.approx((-end, end))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2_000), st.sampled_from(LEVELS))
def test_tango_interval_excludes_0_exactly_when_mcnemar_rejects(
    gained: int, lost: int, concordant: int, level: float
) -> None:
    pairs = gained + lost + concordant
    if not pairs:
        return
    low, high = tango(gained, lost, pairs, level)
    statistic = (gained - lost) ** 2 / (gained + lost) if gained + lost else 0.0
    rejected = statistic > stats.chi2.ppf(level, 1)
    assert (low > 0 or high < 0) == rejected
    assert -1 <= low <= (gained - lost) / pairs <= high <= 1


def test_mean_of_two_is_as_wide_as_that_of_normal_estimates() -> None:
    of_first, of_second = Interval(0.47, 0.53), Interval(0.66, 0.74)
    expected = (0.6 - 0.05 / 2, 0.6 + 0.05 / 2)
    assert mean_of_two(0.5, 0.7, of_first, of_second) == pytest.approx(expected)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(0, 1e3))
def test_transformed_intervals_stay_in_their_range(value: float, half_width: float) -> None:
    low, high = on_logit_scale(value, half_width)
    assert 0 <= low <= value * (1 + 1e-9)
    assert value * (1 - 1e-9) <= high <= 1
    low, high = on_log_scale(value, half_width)
    assert 0 < low <= value * (1 + 1e-9)
    assert value * (1 - 1e-9) <= high < math.inf


def test_transformed_interval_is_the_plain_one_when_it_is_narrow() -> None:
    for low, high in (on_logit_scale(0.9, 1e-4), on_log_scale(0.9, 1e-4)):
        assert (low, high) == pytest.approx((0.9 - 1e-4, 0.9 + 1e-4), abs=1e-7)
