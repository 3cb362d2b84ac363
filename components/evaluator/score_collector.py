"""Collects the details of the scores on `test` batch by batch."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.common.explanations import Parts
from components.evaluator.score_details import (
    BINS,
    SHOWN_CHARACTERS,
    SHOWN_EXAMPLES,
    SHOWN_PARTS,
    Example,
    Histogram,
    ScoreDetails,
)

Numbers = npt.NDArray[Any]
Explain = Callable[[list[bytes]], list[Parts]]


class _Ranked(NamedTuple):
    rank: float
    text: bytes
    label: int
    probability: float


class ScoreCollector:
    """Collects `ScoreDetails` from scored examples.

    A collector can be pickled, and collectors can be merged in any order. Its
    size does not depend on the number of examples.

    Args:
        has_baseline: Whether a baseline scores the examples as well.

    Example:
        collector = ScoreCollector(has_baseline=False)
        collector.add(texts, labels, probabilities, None)
        details = collector.details()
    """

    def __init__(self, *, has_baseline: bool) -> None:
        self._candidate: npt.NDArray[np.int64] = np.zeros((2, BINS), np.int64)
        self._baseline = self._candidate.copy() if has_baseline else None
        self._confusion: npt.NDArray[np.int64] = np.zeros((2, 2), np.int64)
        self._mistakes: list[_Ranked] = []
        self._uncertain: list[_Ranked] = []
        self._unscored = 0
        self._contributions: dict[bytes, Parts] = {}

    def add(
        self, texts: Numbers, labels: Numbers, candidate: Numbers, baseline: Numbers | None
    ) -> None:
        """Add examples.

        Args:
            texts: Bytes `[examples]`, UTF-8.
            labels: Numbers `[examples]`, 0 or 1.
            candidate: Numbers `[examples]` in [0, 1], the candidate's
                probabilities of the label 1. Rows with another number or another
                label count as unscored.
            baseline: The baseline's probabilities, None without a baseline.
        """
        scored = _is_scored(labels, candidate)
        self._unscored += int(np.count_nonzero(~scored))
        if self._baseline is not None and baseline is not None:
            of_baseline = _is_scored(labels, baseline)
            self._baseline += _histogram(labels[of_baseline], baseline[of_baseline])
        texts, label = texts[scored], labels[scored].astype(np.int64)
        probability = candidate[scored].astype(np.float64)
        self._candidate += _histogram(label, probability)
        predicted = (probability > 0.5).astype(np.int64)
        self._confusion += np.bincount(2 * label + predicted, minlength=4).reshape(2, 2)
        distance = np.abs(probability - 0.5)
        for kept, rows, rank in (
            (self._mistakes, np.flatnonzero(label != predicted), -distance),
            (self._uncertain, np.arange(len(label)), distance),
        ):
            first = rows[rank[rows] <= _largest_rank(rank[rows])]
            columns = (rank[first], texts[first], label[first], probability[first])
            found = (_Ranked(*row) for row in zip(*(column.tolist() for column in columns)))
            kept[:] = heapq.nsmallest(SHOWN_EXAMPLES, [*kept, *found])

    def add_contributions(self, explain: Explain) -> None:
        """Add the contributions of n-grams to the scores of the selected examples.

        Args:
            explain: Returns the contributions for a list of texts.
        """
        texts = sorted(self._shown() - self._contributions.keys())
        if texts:
            parts = explain(texts)
            self._contributions.update(zip(texts, (part[:SHOWN_PARTS] for part in parts)))

    def _shown(self) -> set[bytes]:
        return {example.text for example in (*self._mistakes, *self._uncertain)}

    def merge(self, other: ScoreCollector) -> None:
        """Add the examples of another collector with the same `has_baseline`."""
        self._candidate += other._candidate
        if self._baseline is not None and other._baseline is not None:
            self._baseline += other._baseline
        self._confusion += other._confusion
        self._unscored += other._unscored
        for kept, found in (
            (self._mistakes, other._mistakes),
            (self._uncertain, other._uncertain),
        ):
            kept[:] = heapq.nsmallest(SHOWN_EXAMPLES, [*kept, *found])
        known = {**self._contributions, **other._contributions}
        self._contributions = {text: known[text] for text in self._shown() & known.keys()}

    def details(self) -> ScoreDetails:
        """Return the details of the examples that were added."""
        (true_negatives, false_positives), (false_negatives, true_positives) = (
            self._confusion.tolist()
        )
        return ScoreDetails(
            candidate=_to_histogram(self._candidate),
            baseline=None if self._baseline is None else _to_histogram(self._baseline),
            mistakes=self._examples(self._mistakes),
            uncertain=self._examples(self._uncertain),
            true_positives=true_positives,
            false_positives=false_positives,
            true_negatives=true_negatives,
            false_negatives=false_negatives,
            unscored=self._unscored,
        )

    def _examples(self, ranked: list[_Ranked]) -> list[Example]:
        texts = [each.text.decode('utf-8', errors='replace') for each in ranked]
        return [
            Example(
                text=text[:SHOWN_CHARACTERS],
                cut=len(text) > SHOWN_CHARACTERS,
                label=each.label,
                probability=each.probability,
                contributions=self._contributions.get(each.text, []),
            )
            for text, each in zip(texts, ranked)
        ]


def _is_scored(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.bool_]:
    # A comparison with NaN is false.
    in_range: npt.NDArray[np.bool_] = (predictions >= 0) & (predictions <= 1)
    return in_range & np.isin(labels, (0, 1))


def _histogram(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.int64]:
    # Exact, because the product of a float32 (24 bits) and 1,000 (10 bits) fits into 53 bits.
    bins = np.minimum((predictions.astype(np.float64) * BINS).astype(np.int64), BINS - 1)
    flat = labels.astype(np.int64) * BINS + bins
    return np.bincount(flat, minlength=2 * BINS).reshape(2, BINS)


def _largest_rank(ranks: Numbers) -> float:
    """Return the largest rank that an example of a batch may have to be selected."""
    if len(ranks) <= SHOWN_EXAMPLES:
        return math.inf
    return float(np.partition(ranks, SHOWN_EXAMPLES - 1)[SHOWN_EXAMPLES - 1])


def _to_histogram(histogram: npt.NDArray[np.int64]) -> Histogram:
    negative, positive = histogram.tolist()
    return Histogram(positive=positive, negative=negative)
