"""Tests of curves and intervals against other implementations."""

from __future__ import annotations

import itertools
import random

import pytest
from scipy import stats

from components.evaluator.score_details import BINS, Histogram
from components.statistics_gen.text_statistics import divergence
from pipeline.report import measures


def histogram_of(scores: list[tuple[int, float]]) -> Histogram:
    counts = [[0] * BINS, [0] * BINS]
    for label, score in scores:
        counts[label][min(BINS - 1, int(score * BINS))] += 1
    return Histogram(negative=counts[0], positive=counts[1])


@pytest.fixture(scope='module')
def scores() -> list[tuple[int, float]]:
    generator = random.Random(7)
    drawn = [(generator.random() < 0.3, generator.random()) for _ in range(4_000)]
    return [(int(label), 0.6 * score + 0.4 * label) for label, score in drawn]


def test_area_under_the_roc_curve_is_the_auc_when_labels_are_unbalanced(
    scores: list[tuple[int, float]],
) -> None:
    curve = measures.roc(histogram_of(scores))
    assert (curve[0], curve[-1]) == ((0, 0), (1, 1))
    area = sum(
        (right.x - left.x) * (left.y + right.y) / 2 for left, right in itertools.pairwise(curve)
    )
    positives = [score for label, score in scores if label]
    negatives = [score for label, score in scores if not label]
    statistic = stats.mannwhitneyu(positives, negatives).statistic
    assert area == pytest.approx(statistic / len(positives) / len(negatives), abs=0.003)
    assert len(curve) < 600


def test_curve_has_precision_and_recall_when_the_threshold_is_one_half(
    scores: list[tuple[int, float]],
) -> None:
    curve = measures.precision_recall(histogram_of(scores))
    positives = sum(label for label, _ in scores)
    assert curve[-1] == (1, positives / len(scores))
    at_half = [label for label, score in scores if score >= 0.5]
    cut = measures.Point(sum(at_half) / positives, sum(at_half) / len(at_half))
    nearest = min(curve, key=lambda point: abs(point.x - cut.x))
    assert nearest.y == pytest.approx(cut.y, abs=0.01)


def test_reliability_bins_have_observed_shares_when_they_have_examples() -> None:
    bins = measures.reliability(histogram_of([(1, 0.95), (1, 0.96), (0, 0.97), (0, 0.05)]))
    assert [part.examples for part in bins] == [1, 3]
    assert bins[0].observed == 0
    assert bins[1].observed == pytest.approx(2 / 3)
    assert bins[1].predicted == pytest.approx(0.9605)


@pytest.mark.parametrize('label', [0, 1])
def test_roc_is_empty_when_a_label_is_missing(label: int) -> None:
    scores = histogram_of([(label, 0.2), (label, 0.8)])
    assert measures.roc(scores) == []
    assert bool(measures.precision_recall(scores)) == bool(label)


def test_expected_drift_is_near_the_measured_one_when_samples_are_random() -> None:
    generator = random.Random(3)
    words = [f'word {n}' for n in range(400)]

    def draw(size: int) -> list[tuple[str, int]]:
        counts = dict.fromkeys(words, 0)
        for word in generator.choices(words, k=size):
            counts[word] += 1
        return list(counts.items())

    expected = measures.divergence_by_chance(len(words), 40_000, 20_000)
    assert divergence(draw(40_000), draw(20_000)) == pytest.approx(expected, rel=0.2)
