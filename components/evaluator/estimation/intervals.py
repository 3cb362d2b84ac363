"""Confidence intervals of shares, of differences of shares, and of estimates with a deviation.

Each function returns the lower and the upper end. `level` is the confidence level, in (0, 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import special

_BISECTIONS = 60  # halve [0, 2] until the last bit of a float64
_LARGEST_EXPONENT = 300.0  # keeps the result finite


class Interval(NamedTuple):
    """Lower and upper end of an interval."""

    low: float
    high: float


def normal_quantile(level: float) -> float:
    """Return the half-width, in standard deviations, of the two-sided interval of the normal.

    Example:
        >>> round(normal_quantile(0.95), 4)
        1.96
    """
    return float(special.ndtri((1 + level) / 2))


def wilson(share: float, trials: float, level: float) -> Interval:
    """Return the score interval of a share (Wilson, 1927, doi:10.2307/2276774).

    Args:
        share: Observed share, in [0, 1].
        trials: Number of examples, at least 1.
        level: Confidence level.

    Example:
        >>> [round(end, 3) for end in wilson(0.9, 10, 0.95)]
        [0.596, 0.982]
    """
    z = normal_quantile(level)
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / scale
    # At the ends, rounding must not exclude the value itself.
    return Interval(
        0.0 if share <= 0 else max(0.0, centre - half),
        1.0 if share >= 1 else min(1.0, centre + half),
    )


def tango(gained: int, lost: int, pairs: int, level: float) -> Interval:
    """Return the score interval of the difference of two shares of the same examples.

    The interval excludes 0 if and only if McNemar's test (1947, doi:10.1007/BF02295996), without
    a correction of continuity, rejects that the shares are equal. Source: Tango, 1998, Statistics
    in Medicine 17(8), 891-908.

    Args:
        gained: Number of examples that only the first share has.
        lost: Number of examples that only the second share has.
        pairs: Number of examples, at least 1.
        level: Confidence level.

    Returns:
        Ends of the first share minus the second one, in [-1, 1].

    Example:
        >>> [round(end, 3) for end in tango(1, 7, 44, 0.95)]
        [-0.277, -0.013]
    """
    return Interval(_lowest(gained, lost, pairs, level), -_lowest(lost, gained, pairs, level))


def _lowest(gained: int, lost: int, pairs: int, level: float) -> float:
    """Return the smallest difference that the score test does not reject."""
    z = normal_quantile(level)
    low, high = -1.0, 1.0
    for _ in range(_BISECTIONS):
        difference = (low + high) / 2
        # Maximum likelihood of the probability of `lost`, given the difference.
        linear = (2 * pairs + lost - gained) * difference - gained - lost
        constant = -lost * difference * (1 - difference)
        root = math.sqrt(max(0.0, linear**2 - 8 * pairs * constant))
        variance = 2 * (root - linear) / (4 * pairs) + difference * (1 - difference)
        deviation = math.sqrt(max(0.0, pairs * variance))
        if gained - lost - pairs * difference > z * deviation:
            low = difference
        else:
            high = difference
    return high


def mean_of_two(first: float, second: float, of_first: Interval, of_second: Interval) -> Interval:
    """Return the interval of the mean of two independent estimates.

    It recovers the variances from the intervals (Zou and Donner, 2008, doi:10.1002/sim.3095), so
    it also holds if an estimate is at the end of its range, where its deviation is 0.

    Example:
        >>> wide = mean_of_two(1.0, 0.8, Interval(0.7, 1.0), Interval(0.6, 0.9))
        >>> [round(end, 2) for end in wide]
        [0.72, 0.95]
    """
    centre = (first + second) / 2
    below = math.hypot(first - of_first.low, second - of_second.low) / 2
    above = math.hypot(of_first.high - first, of_second.high - second) / 2
    return Interval(centre - below, centre + above)


def on_logit_scale(value: float, half_width: float) -> Interval:
    """Return an interval that is symmetric on the logit scale, so it stays in (0, 1).

    Args:
        value: In (0, 1).
        half_width: Half of the width that a plain interval would have.

    Example:
        >>> [round(end, 3) for end in on_logit_scale(0.95, 0.06)]
        [0.843, 0.985]
    """
    logit, half = float(special.logit(value)), half_width / (value * (1 - value))
    return Interval(float(special.expit(logit - half)), float(special.expit(logit + half)))


def on_log_scale(value: float, half_width: float) -> Interval:
    """Return an interval that is symmetric on the log scale, so it stays above 0.

    Args:
        value: Above 0.
        half_width: Half of the width that a plain interval would have.

    Example:
        >>> [round(end, 3) for end in on_log_scale(1.0, 0.1)]
        [0.905, 1.105]
    """
    factor = math.exp(min(half_width / value, _LARGEST_EXPONENT))
    return Interval(value / factor, value * factor)
