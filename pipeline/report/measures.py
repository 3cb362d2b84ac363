"""Computes curves and intervals from the metrics and score histograms of the Evaluator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from components.common import features
from components.evaluator.metric_table import (
    EXAMPLE_COUNT,
    Interval,
    accuracy_interval,
    is_by_length,
    wilson_interval,
)
from components.evaluator.score_details import Histogram
from pipeline.results.outcome import RunOutcome

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


class SliceAccuracy(NamedTuple):
    """Name, accuracy and number of examples of a slice."""

    name: str
    accuracy: Interval
    examples: int


def slice_accuracies(outcome: RunOutcome) -> list[SliceAccuracy]:
    """Return the accuracy of each slice of a run, shortest texts first."""
    found = [
        SliceAccuracy(where.partition('=')[2], interval, round(metrics[EXAMPLE_COUNT] or 0))
        for where, metrics in outcome.slices.items()
        if is_by_length(where) and (interval := accuracy_interval(metrics)) is not None
    ]
    return sorted(found, key=lambda part: slice_order(part.name))


def slice_order(name: str) -> int:
    """Return the sort key of a slice; slices of older versions come last."""
    known = features.LENGTH_BUCKETS
    return known.index(name) if name in known else len(known)


def roc(scores: Histogram) -> list[Point]:
    """Return false and true positive rates by falling threshold.

    The curve is empty without examples of both labels.
    """
    positives, negatives = sum(scores.positive), sum(scores.negative)
    if not positives or not negatives:
        return []
    rates = [Point(alarms / negatives, hits / positives) for hits, alarms in _above(scores)]
    return _thinned([Point(0.0, 0.0), *rates])


def precision_recall(scores: Histogram) -> list[Point]:
    """Return recalls and precisions by falling threshold; empty without positives."""
    positives = sum(scores.positive)
    return _thinned(
        [Point(hits / positives, hits / (hits + alarms)) for hits, alarms in _above(scores) if hits]
    )


def _above(scores: Histogram) -> Iterator[tuple[int, int]]:
    """Yield the positives and negatives above each threshold, highest threshold first."""
    return zip(accumulate(reversed(scores.positive)), accumulate(reversed(scores.negative)))


def reliability(scores: Histogram, bins: int = 10) -> list[Bin]:
    """Return predicted probabilities and observed shares, in bins of equal width."""
    width = len(scores.positive) // bins
    found = []
    for start in range(0, len(scores.positive), width):
        positives = scores.positive[start : start + width]
        counts = [sum(pair) for pair in zip(positives, scores.negative[start : start + width])]
        total = sum(counts)
        if total:
            middles = ((index + 0.5) * count for index, count in enumerate(counts, start))
            predicted = sum(middles) / len(scores.positive) / total
            observed = wilson_interval(sum(positives) / total, total)
            found.append(Bin(predicted, observed, total))
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
