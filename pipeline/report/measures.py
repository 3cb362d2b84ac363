"""Curves and intervals, computed from the histograms that the Evaluator keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from components.evaluator.metric_table import Interval, wilson_interval
from components.evaluator.score_details import Histogram

# Curves are drawn some 300 pixels wide; what is nearer than this is one point.
_VISIBLE = 0.004


class Point(NamedTuple):
    """A point of a curve, both coordinates in [0, 1]."""

    x: float
    y: float


class Bin(NamedTuple):
    """Examples whose scores are alike.

    Attributes:
        predicted: Their mean probability, to the width of the histogram's bins.
        observed: The share of positives among them.
        examples: How many they are.
    """

    predicted: float
    observed: Interval
    examples: int


def roc(scores: Histogram) -> list[Point]:
    """Return false positive rates and true positive rates, by falling threshold.

    Without examples of both labels there is no such curve: no points.
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
    """Return recalls and precisions, by falling threshold; no points without positives."""
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
    """Compare predicted probabilities with what was observed, by bins of equal width."""
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
    """Add up the bins of a histogram to fewer ones."""
    width = len(counts) // bins
    return [sum(counts[start : start + width]) for start in range(0, len(counts), width)]


def divergence_by_chance(different: int, ours: int, theirs: int) -> float:
    """Estimate how far two draws from the same texts diverge by chance.

    Args:
        different: How many different words are compared.
        ours: How many words one draw has, at least 1.
        theirs: How many the other has, at least 1.

    Returns:
        The expected Jensen-Shannon divergence in bits, where all words are
        frequent; a little too much where some are rare.
    """
    return different / (8 * math.log(2)) * (1 / ours + 1 / theirs)


def _thinned(points: list[Point]) -> list[Point]:
    """Leave out points that nobody could tell from the one before."""
    kept = points[:1]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= _VISIBLE:
            kept.append(point)
    return kept if len(points) < 2 else [*kept, points[-1]]
