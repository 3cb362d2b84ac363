from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluator.estimation.estimates import (
    Change,
    Estimate,
    Scores,
    SliceEstimates,
    estimate_slices,
    examples_needed,
)
from components.evaluator.estimation.intervals import tango, wilson
from components.evaluator.estimation.totals import Totals
from components.evaluator.metric_table import EXAMPLE_COUNT, METRICS, find_metric

NAMES = [metric.name for metric in METRICS]
COMPARED = [name for name in NAMES if name != EXAMPLE_COUNT]
UNDEFINED = Estimate(None, None, None)
NONE = (None, None)


def draw(examples: int, seed: int = 1, noise: float = 0.3, positive_share: float = 0.5) -> Scores:
    """Draw a candidate that is calibrated, and a baseline with more noise."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(examples) < positive_share).astype(np.int8)
    latent = rng.standard_normal(examples) + 1.5 * labels - 0.75
    noisy = latent + noise * rng.standard_normal(examples)
    predictions = {
        name: 1 / (1 + np.exp(-1.5 * score))
        for name, score in (('candidate', latent), ('baseline', noisy))
    }
    return Scores(labels, predictions, {'candidate': 0.5, 'baseline': 0.45})


def estimates_of(scores: Scores, rows: Any = None, level: float = 0.95) -> SliceEstimates:
    rows = np.ones(len(scores.labels), np.bool_) if rows is None else rows
    return estimate_slices(scores, {'all': rows}, level=level)['all']


def changes_of(scores: Scores, level: float = 0.95) -> dict[str, Change]:
    found = estimates_of(scores, level=level).changes
    assert found is not None
    return found


def scores_of(labels: Any, **predictions: Any) -> Scores:
    columns = {name: np.array(column, np.float64) for name, column in predictions.items()}
    return Scores(np.array(labels, np.int8), columns, {})


def test_values_equal_those_of_the_totals() -> None:
    scores = draw(500)
    found = estimates_of(scores)
    totals = Totals()
    totals.add(scores.labels, scores.predictions['baseline'], threshold=0.45)
    assert found.baseline is not None
    assert {name: found.baseline[name].value for name in NAMES} == {
        name: find_metric(name).compute(totals) for name in NAMES
    }
    assert list(found.candidate) == NAMES
    assert list(found.changes or ()) == COMPARED
    assert found.examples == 500


def test_threshold_is_one_half_when_none_is_given() -> None:
    scores = draw(300)
    default = scores._replace(thresholds={})
    explicit = scores._replace(thresholds={'candidate': 0.5, 'baseline': 0.5})
    assert estimates_of(default) == estimates_of(explicit) != estimates_of(scores)


def test_there_is_no_change_without_a_baseline() -> None:
    scores = draw(100)
    alone = scores._replace(predictions={'candidate': scores.predictions['candidate']})
    found = estimates_of(alone)
    assert (found.baseline, found.changes) == (None, None)
    assert found.candidate == estimates_of(scores).candidate


@pytest.mark.parametrize(
    ('name', 'share', 'trials'),
    [
        ('binary_accuracy', 14 / 20, 20),
        ('precision', 9 / 13, 13),
        ('recall', 9 / 11, 11),
        ('specificity', 5 / 9, 9),
    ],
)
def test_interval_of_a_share_is_wilsons_with_its_own_denominator(
    name: str, share: float, trials: int
) -> None:
    labels, decisions = [1] * 11 + [0] * 9, [1] * 9 + [0] * 2 + [1] * 4 + [0] * 5
    scores = scores_of(labels, candidate=[0.9 if decision else 0.1 for decision in decisions])
    found = estimates_of(scores).candidate
    assert found[name] == pytest.approx((share, *wilson(share, trials, 0.95)))
    # F1 is 2q / (1 + q), and q is 9 / 15.
    low, high = wilson(9 / 15, 15, 0.95)
    assert found['f1'] == pytest.approx((0.75, 2 * low / (1 + low), 2 * high / (1 + high)))


@pytest.mark.parametrize('name', COMPARED)
def test_interval_is_wider_when_the_level_is_higher(name: str) -> None:
    scores = draw(400)
    ends = [estimates_of(scores, level=level).candidate[name] for level in (0.8, 0.95, 0.99)]
    lows, highs = [end.low for end in ends], [end.high for end in ends]
    assert lows == sorted(lows, reverse=True)  # type: ignore[type-var]
    assert highs == sorted(highs)  # type: ignore[type-var]
    assert lows[-1] < ends[0].value < highs[-1]  # type: ignore[operator]


@pytest.mark.parametrize('name', COMPARED)
def test_interval_is_half_as_wide_with_four_times_the_examples(name: str) -> None:
    few, many = (estimates_of(draw(n)).candidate[name] for n in (5_000, 20_000))
    widths = [found.high - found.low for found in (few, many)]  # type: ignore[operator]
    # The calibration error of the larger split has less noise, besides.
    assert widths[1] / widths[0] == pytest.approx(0.5, rel=0.1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), *[st.sampled_from([0, 0.1, 0.2, 0.45, 0.5, 0.7, 1])] * 2),
        min_size=1,
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_estimates_do_not_depend_on_the_order(examples: list[Any], random: Any) -> None:
    shuffled = random.sample(examples, len(examples))
    first, second = (
        scores_of(labels, candidate=candidate, baseline=baseline)
        for labels, candidate, baseline in (zip(*examples), zip(*shuffled))
    )
    # Equal to the last bit.
    assert estimates_of(first) == estimates_of(second)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), *[st.floats(0, 1)] * 2),
        max_size=40,
    ),
)
def test_ends_contain_the_value_and_stay_in_range(examples: list[Any]) -> None:
    labels, candidate, baseline = zip(*examples) if examples else ((), (), ())
    found = estimates_of(scores_of(labels, candidate=candidate, baseline=baseline))
    for name in COMPARED:
        value, low, high = found.candidate[name]
        assert (low is None) == (high is None)
        if low is not None:
            assert -1e-9 <= low <= value + 1e-9 <= high + 2e-9  # type: ignore[operator]
            assert high <= find_metric(name).highest
        change = (found.changes or {})[name]
        assert (change.low is None) == (change.verdict == '')
        if change.low is not None:
            assert change.low <= change.value <= change.high  # type: ignore[operator]


def test_estimates_of_a_slice_are_those_of_its_examples_alone() -> None:
    scores = draw(600)
    rows = np.random.default_rng(1).random(600) < 0.4
    alone = scores._replace(
        labels=scores.labels[rows],
        predictions={name: column[rows] for name, column in scores.predictions.items()},
    )
    empty = np.zeros(600, np.bool_)
    found = estimate_slices(scores, {'some': rows, 'none': empty, 'all': ~empty})
    assert list(found) == ['some', 'none', 'all']
    assert found['some'] == estimates_of(alone)
    assert found['none'].examples == 0
    assert {found['none'].candidate[name] for name in COMPARED} == {UNDEFINED}
    assert set((found['none'].changes or {}).values()) == {Change(None, None, None, '')}


@pytest.mark.parametrize('bad', [math.nan, -0.1, 1.1, math.inf])
@pytest.mark.parametrize('model', ['candidate', 'baseline'])
def test_metrics_of_a_model_are_undefined_when_it_has_no_valid_score(
    bad: float, model: str
) -> None:
    scores = draw(200)
    scores.predictions[model][7] = bad
    rows = np.arange(200) < 100
    found = estimate_slices(scores, {'with': rows, 'without': ~rows})
    of_model = found['with']._asdict()
    other = {'candidate': 'baseline', 'baseline': 'candidate'}[model]
    assert {of_model[model][name] for name in COMPARED} == {UNDEFINED}
    assert of_model[model][EXAMPLE_COUNT] == (100, None, None)
    assert UNDEFINED not in of_model[other].values()
    assert set((found['with'].changes or {}).values()) == {Change(None, None, None, '')}
    assert UNDEFINED not in found['without']._asdict()[model].values()
    assert examples_needed(scores, 0.001) is None


@pytest.mark.parametrize('name', COMPARED)
def test_identical_models_have_no_difference(name: str) -> None:
    scores = draw(300)
    same = scores._replace(
        predictions=dict.fromkeys(('candidate', 'baseline'), scores.predictions['candidate']),
        thresholds={},
    )
    change = changes_of(same)[name]
    assert (change.value, change.verdict) == (0, 'no difference')
    assert change.low <= 0 <= change.high  # type: ignore[operator]


@pytest.mark.parametrize(
    'name', sorted(set(COMPARED) - {'calibration', 'expected_calibration_error'})
)
def test_verdict_is_the_opposite_when_the_models_are_swapped(name: str) -> None:
    # So much noise that each metric shows it.
    scores = draw(5_000, noise=2)._replace(thresholds={})
    swapped = scores._replace(
        predictions=dict(zip(('baseline', 'candidate'), scores.predictions.values()))
    )
    change, opposite = changes_of(scores)[name], changes_of(swapped)[name]
    assert (change.verdict, opposite.verdict) == ('better', 'worse')
    assert (change.value, change.low, change.high) == pytest.approx(
        [-end for end in (opposite.value, opposite.high, opposite.low)]  # type: ignore[operator]
    )


def test_change_of_recall_is_tangos_on_the_positive_examples() -> None:
    labels = [1] * 30 + [0] * 20
    candidate, baseline = [0.9] * 25 + [0.1] * 25, [0.1] * 8 + [0.9] * 19 + [0.1] * 23
    change = changes_of(scores_of(labels, candidate=candidate, baseline=baseline))
    assert change['recall'][:3] == pytest.approx((6 / 30, *tango(8, 2, 30, 0.95)))
    assert change['binary_accuracy'][:3] == pytest.approx((6 / 50, *tango(8, 2, 50, 0.95)))


def test_change_of_balanced_accuracy_is_half_that_of_recall_when_specificity_is_the_same() -> None:
    labels = [1] * 4_000 + [0] * 100_000
    candidate = [0.9] * 3_000 + [0.1] * 101_000
    baseline = [0.9] * 2_900 + [0.1] * 101_100
    change = changes_of(scores_of(labels, candidate=candidate, baseline=baseline))
    recall, balanced = change['recall'], change['balanced_accuracy']
    assert balanced[:3] == pytest.approx([end / 2 for end in recall[:3]], abs=1e-4)  # type: ignore[operator]
    assert balanced.verdict == 'better'


def calibrated(candidate: float, baseline: float, positives: int) -> Change:
    """Return the change of the calibration of two models with constant predictions."""
    labels = np.arange(10_000) < positives
    spread = np.random.default_rng(1).permutation(np.linspace(-0.01, 0.01, 10_000))
    return changes_of(
        scores_of(labels, candidate=candidate + spread, baseline=baseline + spread[::-1])
    )['calibration']


@pytest.mark.parametrize(
    ('candidate', 'baseline', 'verdict'),
    [
        (0.55, 0.6, 'better'),
        (0.6, 0.55, 'worse'),
        (0.45, 0.4, 'better'),
        (0.4, 0.45, 'worse'),
        # On both sides of 1, and as far from it.
        (0.48, 0.52, 'no difference'),
        # Nearer to 1, but a few more positives, as chance has them, would make it farther.
        (0.5, 0.505, 'no difference'),
    ],
)
def test_verdict_on_calibration_is_on_its_distance_from_1(
    candidate: float, baseline: float, verdict: str
) -> None:
    change = calibrated(candidate, baseline, positives=5_000)
    assert change.verdict == verdict
    assert change.value == pytest.approx((candidate - baseline) / 0.5, abs=1e-6)
    # The interval is that of the plain change.
    assert change.low <= change.value <= change.high  # type: ignore[operator]


def test_equal_precisions_of_few_decisions_are_no_evidence_when_the_models_differ() -> None:
    labels = [1] * 100 + [0] * 100
    candidate, baseline = [0.9] + [0.1] * 199, [0.1, 0.9] + [0.1] * 198
    change = changes_of(scores_of(labels, candidate=candidate, baseline=baseline))['precision']
    assert change == (0, None, None, '')


def test_there_is_no_verdict_on_loss_when_there_is_one_example() -> None:
    change = changes_of(scores_of([1], candidate=[0.9], baseline=[0.6]))['loss']
    assert change.value == pytest.approx(math.log(0.6 / 0.9))
    assert change[1:] == (None, None, '')


@pytest.mark.parametrize(('decisions', 'verdict'), [(9, ''), (10, 'better')])
def test_there_is_no_verdict_on_precision_when_few_examples_are_predicted_positive(
    decisions: int, verdict: str
) -> None:
    labels = [1] * 100 + [0] * 100
    candidate = [0.9] * decisions + [0.1] * (200 - decisions)
    baseline = [0.1] * 99 + [0.9] * decisions + [0.1] * (101 - decisions)
    change = changes_of(scores_of(labels, candidate=candidate, baseline=baseline))['precision']
    assert change.value == pytest.approx(1 - 1 / decisions)
    assert change.verdict == verdict


@pytest.mark.parametrize(
    ('labels', 'predictions', 'expected'),
    [
        # Perfect, so nothing varies: Wilson's for the rarer label, or none.
        ([0, 0, 0, 1, 1], [0, 0, 0, 1, 1], {'auc': (1, *wilson(1, 2, 0.95)), 'loss': (0, *NONE)}),
        # All scores are equal.
        ([0, 1] * 5, [0.5] * 10, {'auc': (0.5, *wilson(0.5, 5, 0.95)), 'f1': (0, 0, 0.6058)}),
        # One label only.
        ([1] * 8, [0.6] * 8, {'auc': UNDEFINED, 'calibration': (0.6, *NONE)}),
        ([0] * 8, [0.6] * 8, {'recall': UNDEFINED, 'specificity': (0, *wilson(0, 8, 0.95))}),
        # One example.
        ([1], [0.9], {'recall': (1, *wilson(1, 1, 0.95)), 'loss': (-math.log(0.9), *NONE)}),
    ],
    ids=['perfect', 'equal scores', 'positive only', 'negative only', 'one example'],
)  # fmt: skip
def test_degenerate_examples_have_a_conservative_interval_or_none(
    labels: list[int], predictions: list[float], expected: dict[str, tuple[float | None, ...]]
) -> None:
    found = estimates_of(scores_of(labels, candidate=predictions)).candidate
    for name, of_metric in expected.items():
        assert tuple(found[name]) == pytest.approx(of_metric, abs=1e-4), name


@pytest.mark.parametrize(('drop', 'discordant'), [(0.01, 0.05), (0.02, 0.1), (0.005, 0.1)])
def test_examples_needed_show_the_drop_with_a_power_of_80_percent(
    drop: float, discordant: float
) -> None:
    labels = np.arange(100) % 2
    candidate = np.where(labels == 1, 0.9, 0.1)
    baseline = np.where(np.arange(100) < discordant * 100, 1 - candidate, candidate)
    needed = examples_needed(scores_of(labels, candidate=candidate, baseline=baseline), drop)
    assert needed is not None
    lost = (discordant + drop) / 2
    draws = np.random.default_rng(1).multinomial(
        needed, [lost, discordant - lost, 1 - discordant], size=20_000
    )
    statistic = (draws[:, 0] - draws[:, 1]) / np.sqrt(np.maximum(draws[:, 0] + draws[:, 1], 1))
    assert np.mean(statistic > 1.96) == pytest.approx(0.8, abs=0.02)


def test_no_examples_are_needed_when_there_are_enough_or_nothing_can_show_the_drop() -> None:
    scores = draw(2_000)
    needed = examples_needed(scores, 0.01)
    assert needed is not None
    assert needed > 2_000
    assert examples_needed(scores, 0.5) is None
    assert examples_needed(scores, 0.0) is None
    alone = scores._replace(predictions={'candidate': scores.predictions['candidate']})
    assert examples_needed(alone, 0.01) is None
    assert examples_needed(scores_of([], candidate=[], baseline=[]), 0.01) is None


def test_drop_is_the_least_share_of_differing_examples_when_models_agree() -> None:
    scores = draw(100)
    same = scores._replace(
        predictions=dict.fromkeys(('candidate', 'baseline'), scores.predictions['candidate']),
        thresholds={},
    )
    needed = examples_needed(same, 0.01)
    assert needed is not None
    assert 400 < needed < 1_000


def test_columns_of_other_lengths_are_refused() -> None:
    scores = draw(10)
    with pytest.raises(ValueError, match="a column of 10 examples, got 'some' of shape"):
        estimate_slices(scores, {'some': np.ones(9, np.bool_)})
    scores.predictions['baseline'] = np.zeros(11)  # type: ignore[index]
    with pytest.raises(ValueError, match="a column of 10 examples, got 'baseline' of shape"):
        estimate_slices(scores, {})


def test_scores_without_a_candidate_are_refused() -> None:
    with pytest.raises(ValueError, match="expected scores of 'candidate', got \\['other'\\]"):
        estimate_slices(scores_of([1], other=[0.5]), {})


def test_no_framework_is_imported() -> None:
    code = 'import sys, components.evaluator.estimation.estimates; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert not {'tensorflow', 'tfx', 'apache_beam'} & set(done.stdout.split())
