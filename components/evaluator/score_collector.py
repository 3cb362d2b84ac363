"""Selects the examples of `test` that the report shows, batch by batch."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from components.common.decision_threshold import DEFAULT_THRESHOLD
from components.common.explanations import Parts
from components.evaluator.estimation.totals import BUCKETS, Numbers, Totals, is_scored
from components.evaluator.score_details import (
    BINS,
    SHOWN_CHARACTERS,
    SHOWN_EXAMPLES,
    SHOWN_PARTS,
    Example,
    Histogram,
    ScoreDetails,
)

Explain = Callable[[list[bytes]], list[Parts]]


class _Ranked(NamedTuple):
    rank: float
    text: bytes
    label: int
    probability: float


class ScoreCollector:
    """Collects the examples of `ScoreDetails`.

    A collector can be pickled, and collectors can be merged in any order. Its
    size does not depend on the number of examples.

    Args:
        threshold: The decision threshold of the candidate, see `read_threshold`; the same in
            all collectors that are merged.

    Example:
        collector = ScoreCollector()
        collector.add(texts, labels, probabilities)
        details = collector.details(totals, None)
    """

    def __init__(self, threshold: float = DEFAULT_THRESHOLD) -> None:
        self._threshold = threshold
        self._mistakes: list[_Ranked] = []
        self._uncertain: list[_Ranked] = []
        self._contributions: dict[bytes, Parts] = {}

    def add(self, texts: Numbers, labels: Numbers, probabilities: Numbers) -> None:
        """Add examples.

        Args:
            texts: Bytes `[examples]`, UTF-8.
            labels: Numbers `[examples]`, 0 or 1.
            probabilities: Numbers `[examples]` in [0, 1], the candidate's
                probabilities of the label 1. Rows with another number or another
                label are ignored.
        """
        scored = is_scored(labels, probabilities)
        texts, label = texts[scored], labels[scored].astype(np.int64)
        probability = probabilities[scored].astype(np.float64)
        distance = np.abs(probability - self._threshold)
        for kept, rows, rank in (
            (self._mistakes, np.flatnonzero(label != (probability > self._threshold)), -distance),
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
        """Add the examples of another collector."""
        for kept, found in (
            (self._mistakes, other._mistakes),
            (self._uncertain, other._uncertain),
        ):
            kept[:] = heapq.nsmallest(SHOWN_EXAMPLES, [*kept, *found])
        known = {**self._contributions, **other._contributions}
        self._contributions = {text: known[text] for text in self._shown() & known.keys()}

    def details(self, candidate: Totals, baseline: Totals | None) -> ScoreDetails:
        """Return the details of the examples that were added.

        Args:
            candidate: The totals of the same examples, at the same threshold.
            baseline: Those of the baseline, None without a baseline.
        """
        (true_negatives, false_positives), (false_negatives, true_positives) = (
            candidate.confusion.tolist()
        )
        return ScoreDetails(
            candidate=_to_histogram(candidate),
            baseline=None if baseline is None else _to_histogram(baseline),
            mistakes=self._examples(self._mistakes),
            uncertain=self._examples(self._uncertain),
            true_positives=true_positives,
            false_positives=false_positives,
            true_negatives=true_negatives,
            false_negatives=false_negatives,
            unscored=candidate.unscored,
            threshold=self._threshold,
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


def _largest_rank(ranks: Numbers) -> float:
    """Return the largest rank that an example of a batch may have to be selected."""
    if len(ranks) <= SHOWN_EXAMPLES:
        return math.inf
    return float(np.partition(ranks, SHOWN_EXAMPLES - 1)[SHOWN_EXAMPLES - 1])


def _to_histogram(totals: Totals) -> Histogram:
    negative, positive = totals.histogram.reshape(2, BINS, BUCKETS // BINS).sum(axis=2).tolist()
    return Histogram(positive=positive, negative=negative)
