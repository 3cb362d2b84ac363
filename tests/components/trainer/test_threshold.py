"""The tuned threshold is the best of all divisions of the texts, by sklearn's metrics."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from components.common.errors import ComponentError, ConfigError
from components.trainer.threshold import (
    TunedThreshold,
    parse_tuned_threshold,
    to_json,
    tune_threshold,
)
from components.trainer.threshold_aim import Aim, parse_aim

Numbers = npt.NDArray[np.float64]

AIMS = ('accuracy', 'balanced_accuracy', 'f1', 'recall at precision 0.6')
SCORES = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32, allow_subnormal=True)
)


def value_of(aim: str, labels: Numbers, predicted: npt.NDArray[np.bool_]) -> float:
    """Return the value of an aim by scikit-learn; less than any other if it is not reached."""
    functions: dict[str, Callable[..., float]] = {
        'accuracy': metrics.accuracy_score,
        'balanced_accuracy': metrics.balanced_accuracy_score,
        'f1': metrics.f1_score,
    }
    if aim in functions:
        return functions[aim](labels, predicted)
    precision = metrics.precision_score(labels, predicted, zero_division=0)
    reached = precision >= (parse_aim(aim).min_precision or 0)
    return float(metrics.recall_score(labels, predicted)) if reached else -1.0


def all_values(aim: str, labels: Numbers, scores: Numbers) -> list[float]:
    """Return the value of each division of the texts that a threshold in (0, 1) can make."""
    cuts = [math.nextafter(0, 1), *np.unique(scores)]
    return [value_of(aim, labels, scores > cut) for cut in cuts if cut < 1]


def make_scores(texts: int, share: float, seed: int) -> tuple[Numbers, Numbers]:
    """Return labels, and scores that rank the positive texts higher."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(texts) < share * texts).astype(np.float64)
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 2.5)))
    return labels, scores.astype(np.float32).astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(
    aim=st.sampled_from(AIMS),
    negative=st.lists(SCORES, min_size=20, max_size=40),
    positive=st.lists(SCORES, min_size=20, max_size=30),
)
def test_value_is_the_best_of_all_divisions(
    aim: str, negative: list[float], positive: list[float]
) -> None:
    labels = np.repeat([0.0, 1.0], [len(negative), len(positive)])
    scores = np.array([*negative, *positive])
    best = max(all_values(aim, labels, scores))
    if best == -1:
        with pytest.raises(ConfigError, match='no threshold has a precision of 0.6'):
            tune_threshold(labels, scores, parse_aim(aim))
        return
    tuned = tune_threshold(labels, scores, parse_aim(aim))
    assert 0 < tuned.threshold < 1
    assert tuned.value == pytest.approx(best, abs=1e-12)
    above, at_least = scores > tuned.threshold, scores >= tuned.threshold
    assert (above == at_least).all()
    assert value_of(aim, labels, above) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize('aim', AIMS)
@pytest.mark.parametrize('share', [0.5, 0.05])
def test_value_equals_that_of_sklearn_when_texts_are_unbalanced(aim: str, share: float) -> None:
    labels, scores = make_scores(600, share, seed=2)
    if aim.startswith('recall') and share < 0.1:
        aim = 'recall at precision 0.2'
    tuned = tune_threshold(labels, scores, parse_aim(aim))
    assert tuned.value == pytest.approx(max(all_values(aim, labels, scores)), abs=1e-12)
    assert tuned.value >= value_of(aim, labels, scores > 0.5)
    assert tuned.examples == 600
    assert tuned.precision == pytest.approx(
        metrics.precision_score(labels, scores > tuned.threshold)
    )
    # The curve says what scikit-learn says.
    assert tuned.threshold in [point.threshold for point in tuned.curve]
    assert len(tuned.curve) in (100, 101)
    for point in tuned.curve[::9]:
        predicted = scores > point.threshold
        expected = (
            metrics.recall_score(labels, predicted)
            if aim.startswith('recall')
            else value_of(aim, labels, predicted)
        )
        assert point.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ('aim', 'groups', 'expected'),
    [
        # (score, negatives, positives). The cuts at 0.25 and 0.625 are as good: 0.625 is nearer.
        ('accuracy', [(0.125, 20, 0), (0.375, 1, 1), (0.875, 0, 20)], 0.625),
        # The cuts at 0.375 and 0.625 are as good and as near: the lower one.
        ('balanced_accuracy', [(0.25, 20, 0), (0.5, 1, 1), (0.75, 0, 20)], 0.375),
        # All is best positive: half of the lowest score.
        ('f1', [(0.25, 0, 20), (0.75, 20, 1)], 0.125),
        # None is best positive: between the highest score and 1.
        ('accuracy', [(0.25, 60, 20), (0.5, 61, 20)], 0.75),
        # Recall is 20 of 21 at 0.3125 and at 0.4375; the second one has the higher precision.
        (
            'recall at precision 0.9',
            [(0.25, 60, 1), (0.375, 1, 0), (0.5, 0, 10), (0.75, 1, 10)],
            0.4375,
        ),
        # A precision that is equal to the bound is allowed: 55 of 100.
        ('recall at precision 0.55', [(0.25, 60, 1), (0.75, 45, 55)], 0.5),
    ],
)
def test_threshold_follows_the_rule_when_candidates_are_as_good(
    aim: str, groups: list[tuple[float, int, int]], expected: float
) -> None:
    scores = np.repeat([score for score, *_ in groups], [n + p for _, n, p in groups])
    labels = np.concatenate([np.repeat([0, 1], [n, p]) for _, n, p in groups])
    order = np.random.default_rng(0).permutation(len(labels))
    assert tune_threshold(labels[order], scores[order], parse_aim(aim)).threshold == expected


def test_error_names_the_highest_precision_when_none_is_high_enough() -> None:
    scores = np.repeat([0.25, 0.5, 0.75], [60, 20, 10])
    labels = np.concatenate(
        [np.repeat([0, 1], [60, 0]), np.repeat([0, 1], [2, 18]), [0] * 4 + [1] * 6]
    )
    message = (
        r'no threshold has a precision of 0\.9 on val; the highest precision is 0\.8000, with '
        r'recall 1\.0000 at the threshold 0\.375$'
    )
    with pytest.raises(ConfigError, match=message) as caught:
        tune_threshold(labels, scores, Aim('recall', 0.9))
    assert 'lower the precision' in caught.value.hint
    assert tune_threshold(labels, scores, Aim('recall', 0.8)).value == 1


@pytest.mark.parametrize(
    ('negatives', 'positives'), [(0, 300), (300, 0), (0, 0), (19, 300), (300, 19)]
)
def test_threshold_is_not_tuned_when_a_label_has_too_few_examples(
    negatives: int, positives: int
) -> None:
    labels = np.repeat([0, 1], [negatives, positives])
    message = f'at least 20 examples .* got {negatives} negative and {positives} positive ones$'
    with pytest.raises(ConfigError, match=message) as caught:
        tune_threshold(labels, np.linspace(0.1, 0.9, len(labels)), Aim('f1'))
    assert 'trainer.threshold=0.5' in caught.value.hint


@pytest.mark.parametrize('score', [math.nan, -0.1, 1.1, math.inf])
def test_threshold_is_not_tuned_when_a_score_is_no_probability(score: float) -> None:
    labels = np.repeat([0, 1], 20)
    scores = np.where(np.arange(40) == 7, score, 0.5)
    with pytest.raises(ComponentError, match='got none for 1 of 40$'):
        tune_threshold(labels, scores, Aim('f1'))


@pytest.mark.parametrize('aim', ['accuracy', 'balanced_accuracy', 'f1'])
def test_threshold_gains_nothing_on_other_texts_when_labels_are_shuffled(aim: str) -> None:
    rng = np.random.default_rng(4)
    gains = []
    for seed in range(30):
        labels, scores = make_scores(400, 0.5, seed)
        tuned = tune_threshold(rng.permutation(labels), scores, parse_aim(aim))
        others, unseen = rng.permutation(labels), make_scores(400, 0.5, seed + 100)[1]
        gains.append(value_of('balanced_accuracy', others, unseen > tuned.threshold) - 0.5)
    # The standard error of one gain is at most 0.025.
    assert np.mean(gains) == pytest.approx(0, abs=4 * 0.025 / math.sqrt(30))


def test_tuned_threshold_is_equal_when_it_is_read_from_json() -> None:
    labels, scores = make_scores(200, 0.3, seed=5)
    tuned: TunedThreshold = tune_threshold(labels, scores, Aim('recall', 0.4))
    assert parse_tuned_threshold(to_json(tuned).encode()) == tuned
    assert any(point.precision is None for point in tuned.curve)
