"""Computes curves and intervals from the metrics and score histograms of the Evaluator."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from components.common import features
from components.evaluator.estimation.intervals import Interval, wilson
from components.evaluator.metric_table import (
    EXAMPLE_COUNT,
    Check,
    Ends,
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
        interval: 95% interval of this share.
        examples: Number of examples.
    """

    predicted: float
    observed: float
    interval: Interval
    examples: int


class Slice(NamedTuple):
    """A slice of test.

    Attributes:
        name: Its name without the columns, for example `11-50, toaster`.
        metrics: Metrics of the candidate, by name.
        intervals: Intervals of these metrics, by name.
        checks: Results of the bounds on the slice.
    """

    name: str
    metrics: Mapping[str, float | None]
    intervals: Mapping[str, Ends]
    checks: Sequence[Check]

    @property
    def examples(self) -> int:
        """Number of examples."""
        return round(self.metrics.get(EXAMPLE_COUNT) or 0)


def slices_by_columns(outcome: RunOutcome) -> dict[str, list[Slice]]:
    """Return the slices of a run by their columns, for example `length, product`.

    Slices by length are first. In each list, numbers are in their natural order.

    Example:
        >>> slices = {'length=101-200': {}, 'length=11-50': {}, 'product=toaster': {}}
        >>> outcome = RunOutcome(run_id='', outcome='pushed', name='', data='', slices=slices)
        >>> found = slices_by_columns(outcome)
        >>> [(columns, [part.name for part in parts]) for columns, parts in found.items()]
        [('length', ['11-50', '101-200']), ('product', ['toaster'])]
    """
    found: dict[str, list[Slice]] = {}
    for where, metrics in outcome.slices.items():
        pairs = [part.partition('=') for part in where.split(', ')]
        part = Slice(
            name=', '.join(value for _, _, value in pairs),
            metrics=metrics,
            intervals=outcome.slice_intervals.get(where, {}),
            checks=[check for check in outcome.thresholds if check.slice == where],
        )
        found.setdefault(', '.join(column for column, _, _ in pairs), []).append(part)
    for parts in found.values():
        parts.sort(key=lambda part: _natural_order(part.name))
    return dict(sorted(found.items(), key=lambda item: (item[0] != features.LENGTH_KEY, item[0])))


def _natural_order(name: str) -> list[str | int]:
    """Return a sort key by which `11-50` comes before `101-200`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'([0-9]+)', name)]


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
            observed = sum(positives) / total
            found.append(Bin(predicted, observed, wilson(observed, total, 0.95), total))
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
