"""Gathers from the scores on `test` what the report shows beyond the metrics."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.common.explanations import Parts
from components.evaluator.examined import (
    BINS,
    SHOWN_CHARACTERS,
    SHOWN_EXAMPLES,
    SHOWN_PARTS,
    Examined,
    Example,
    Histogram,
)

Numbers = npt.NDArray[Any]
Explain = Callable[[list[bytes]], list[Parts]]


class _Ranked(NamedTuple):
    """An example, and what it is sorted by; equal ones cannot be told apart."""

    rank: float
    text: bytes
    label: int
    probability: float


class Examination:
    """What is gathered of the examples, or of a part of them; it can be pickled.

    Parts may be merged in any order. Its size does not depend on the number of
    examples.

    Args:
        has_baseline: Whether the examples are scored by a baseline, too.
    """

    def __init__(self, *, has_baseline: bool) -> None:
        self._candidate: npt.NDArray[np.int64] = np.zeros((2, BINS), np.int64)
        self._baseline = self._candidate.copy() if has_baseline else None
        self._confusion: npt.NDArray[np.int64] = np.zeros((2, 2), np.int64)
        self._mistakes: list[_Ranked] = []
        self._uncertain: list[_Ranked] = []
        self._unscored = 0
        self._moved_by: dict[bytes, Parts] = {}

    def add(
        self, texts: Numbers, labels: Numbers, candidate: Numbers, baseline: Numbers | None
    ) -> None:
        """Add examples.

        Args:
            texts: Bytes `[examples]`, UTF-8.
            labels: Numbers `[examples]`, 0 or 1.
            candidate: Numbers `[examples]` in [0, 1]: by the model that is
                judged, the probability of the label 1. Rows with another
                number, or another label, only count as unscored.
            baseline: The same by the blessed model, None if there is none.
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
            first = rows[rank[rows] <= _largest_kept(rank[rows], kept)]
            columns = (rank[first], texts[first], label[first], probability[first])
            found = (_Ranked(*row) for row in zip(*(column.tolist() for column in columns)))
            kept[:] = heapq.nsmallest(SHOWN_EXAMPLES, [*kept, *found])

    def explain(self, explain: Explain) -> None:
        """Have the candidate say what moved the scores of the examples that are shown.

        Args:
            explain: Takes texts as they were added.
        """
        texts = sorted(self._shown() - self._moved_by.keys())
        if texts:
            parts = explain(texts)
            self._moved_by.update(zip(texts, (of[:SHOWN_PARTS] for of in parts)))

    def _shown(self) -> set[bytes]:
        return {example.text for example in (*self._mistakes, *self._uncertain)}

    def merge(self, other: Examination) -> None:
        """Add the examples of another, which has a baseline exactly if this one has."""
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
        known = {**self._moved_by, **other._moved_by}
        self._moved_by = {text: known[text] for text in self._shown() & known.keys()}

    def result(self) -> Examined:
        """Return what was gathered."""
        (true_negatives, false_positives), (false_negatives, true_positives) = (
            self._confusion.tolist()
        )
        return Examined(
            candidate=_readable(self._candidate),
            baseline=None if self._baseline is None else _readable(self._baseline),
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
                moved_by=self._moved_by.get(each.text, []),
            )
            for text, each in zip(texts, ranked)
        ]


def _is_scored(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.bool_]:
    # A comparison with NaN is false.
    in_range: npt.NDArray[np.bool_] = (predictions >= 0) & (predictions <= 1)
    return in_range & np.isin(labels, (0, 1))


def _histogram(labels: Numbers, predictions: Numbers) -> npt.NDArray[np.int64]:
    # Exact: a float32 has 24 bits, and 1,000 has 10, where a float64 has 53.
    bins = np.minimum((predictions.astype(np.float64) * BINS).astype(np.int64), BINS - 1)
    flat = labels.astype(np.int64) * BINS + bins
    return np.bincount(flat, minlength=2 * BINS).reshape(2, BINS)


def _largest_kept(ranks: Numbers, kept: list[_Ranked]) -> float:
    """Return the largest rank with which an example may be among those kept."""
    bounds = [np.inf]
    if len(ranks) > SHOWN_EXAMPLES:
        bounds.append(np.partition(ranks, SHOWN_EXAMPLES - 1)[SHOWN_EXAMPLES - 1])
    if len(kept) == SHOWN_EXAMPLES:
        bounds.append(kept[-1].rank)
    return min(bounds)


def _readable(histogram: npt.NDArray[np.int64]) -> Histogram:
    negative, positive = histogram.tolist()
    return Histogram(positive=positive, negative=negative)
