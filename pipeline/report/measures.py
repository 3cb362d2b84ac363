"""Computes curves from the score histograms of the Evaluator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from components.evaluator.metric_table import Interval, wilson_interval
from components.evaluator.score_details import Histogram

# A curve is about 300 pixels wide, so points that are nearer than this look equal.
_VISIBLE = 0.004


class Point(NamedTuple):
    """A point of a curve, both coordinates in [0, 1]."""

    x: float
    y: float


class Bin(NamedTuple):
    """Examples with similar scores.

    Attributes:
        predicted: Mean predicted probability, to the width of the histogram's bins.
        observed: Share of positives.
        examples: Number of examples.
    """

    predicted: float
    observed: Interval
    examples: int


def roc(scores: Histogram) -> list[Point]:
    """Return false and true positive rates by falling threshold.

    The curve is empty without examples of both labels.
    """
    positives, negatives = sum(scores.positive), sum(scores.negative)
    if not positives or not negatives:
        return []
    points = [Point(0.0, 0.0)]
    hits = alarms = 0
    for positive, negative in zip(reversed(scores.positive), reversed(scores.negative)):
        hits, alarms = hits + positive, alarms + negative
        points.append(Point(alarms / negatives, hits / positives))
    return _thinned(points)


def precision_recall(scores: Histogram) -> list[Point]:
    """Return recalls and precisions by falling threshold; empty without positives."""
    positives = sum(scores.positive)
    if not positives:
        return []
    points = []
    hits = alarms = 0
    for positive, negative in zip(reversed(scores.positive), reversed(scores.negative)):
        hits, alarms = hits + positive, alarms + negative
        if hits:
            points.append(Point(hits / positives, hits / (hits + alarms)))
    return _thinned(points)


def reliability(scores: Histogram, bins: int = 10) -> list[Bin]:
    """Return predicted probabilities and observed shares, in bins of equal width."""
    width = len(scores.positive) // bins
    found = []
    for start in range(0, len(scores.positive), width):
        part = range(start, min(start + width, len(scores.positive)))
        positive = sum(scores.positive[index] for index in part)
        total = positive + sum(scores.negative[index] for index in part)
        if not total:
            continue
        middles = (
            (index + 0.5) * (scores.positive[index] + scores.negative[index]) for index in part
        )
        predicted = sum(middles) / len(scores.positive) / total
        found.append(Bin(predicted, wilson_interval(positive / total, total), total))
    return found


def coarser(counts: Sequence[int], bins: int) -> list[int]:
    """Return a histogram with fewer bins.

    Example:
        >>> coarser([1, 2, 3, 4], 2)
        [3, 7]
    """
    width = len(counts) // bins
    return [sum(counts[start : start + width]) for start in range(0, len(counts), width)]


def divergence_by_chance(different: int, ours: int, theirs: int) -> float:
    """Return the expected divergence of two random samples of the same texts.

    Args:
        different: Number of different words that are compared.
        ours: Number of words in one sample, at least 1.
        theirs: Number of words in the other sample, at least 1.

    Returns:
        The expected Jensen-Shannon divergence in bits. It is a little too large
        if some words are rare.
    """
    return different / (8 * math.log(2)) * (1 / ours + 1 / theirs)


def _thinned(points: list[Point]) -> list[Point]:
    kept = points[:1]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= _VISIBLE:
            kept.append(point)
    return kept if len(points) < 2 else [*kept, points[-1]]
