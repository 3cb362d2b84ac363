from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as sklearn_metrics

from components.evaluator.estimation.influences import (
    METRICS_WITH_INFLUENCES,
    Sample,
    half_width,
    influences,
    largest_bias,
    make_sample,
)
from components.evaluator.estimation.totals import Totals
from components.evaluator.metric_table import CALIBRATION_ERROR, find_metric


def draw(examples: int, positive_share: float, seed: int, too_sure: float = 1.5) -> Sample:
    rng = np.random.default_rng(seed)
    labels = (rng.random(examples) < positive_share).astype(np.int8)
    logits = 1.5 * (rng.standard_normal(examples) + 1.5 * labels - 0.75)
    logits += special.logit(positive_share)
    # Fewer digits, so that scores are tied.
    predictions = np.clip(np.round(special.expit(too_sure * logits), 3), 0.001, 0.999)
    return make_sample(labels, predictions, 0.4)


def weighted(sample: Sample, weights: Any) -> Sample:
    """Return the examples, each as often as its weight says."""
    labels, predictions, threshold, _ = sample
    return make_sample(np.repeat(labels, weights), np.repeat(predictions, weights), threshold)


@pytest.mark.parametrize('name', sorted(METRICS_WITH_INFLUENCES))
@pytest.mark.parametrize('positive_share', [0.25, 0.5])
def test_influence_is_the_effect_of_one_more_example(name: str, positive_share: float) -> None:
    sample = draw(60, positive_share, seed=1)
    copies = 10_000
    whole = weighted(sample, np.full(60, copies))
    before = find_metric(name).compute(whole.totals)
    found = influences(name, sample)
    assert abs(found).max() > 0
    for row in range(60):
        totals = Totals()
        totals.merge(whole.totals)
        totals.add(sample.labels[[row]], sample.predictions[[row]], threshold=sample.threshold)
        effect = (find_metric(name).compute(totals) - before) * copies
        assert found[row] == pytest.approx(effect, abs=2e-4 * abs(found).max())


@pytest.mark.parametrize('name', sorted(METRICS_WITH_INFLUENCES))
def test_deviation_equals_that_of_a_bootstrap(name: str) -> None:
    # Far from 0, where noise does not raise the calibration error.
    sample, rng = draw(2_000, 0.3, seed=2, too_sure=4), np.random.default_rng(3)
    replicates = [
        find_metric(name).compute(weighted(sample, rng.poisson(1, 2_000)).totals)
        for _ in range(400)
    ]
    # The deviation of 400 replicates is known to 4%.
    deviation = np.sqrt((influences(name, sample) ** 2).sum())
    assert deviation == pytest.approx(np.std(replicates), rel=0.12)


def test_deviation_of_auc_is_that_of_delong() -> None:
    sample = draw(80, 0.4, seed=4)
    positives = sample.predictions[sample.labels == 1][:, None]
    negatives = sample.predictions[sample.labels == 0]
    is_ordered = (positives > negatives) + (positives == negatives) / 2
    of_positive, of_negative = is_ordered.mean(axis=1), is_ordered.mean(axis=0)
    expected = of_positive.var() / len(of_positive) + of_negative.var() / len(of_negative)
    assert (influences('auc', sample) ** 2).sum() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ('name', 'theirs'),
    [
        ('f1', lambda y, p: sklearn_metrics.f1_score(y, p > 0.4)),
        ('balanced_accuracy', lambda y, p: sklearn_metrics.balanced_accuracy_score(y, p > 0.4)),
        ('specificity', lambda y, p: sklearn_metrics.recall_score(y, p > 0.4, pos_label=0)),
        ('auc', sklearn_metrics.roc_auc_score),
        ('loss', sklearn_metrics.log_loss),
    ],
)
def test_values_equal_those_of_scikit_learn(name: str, theirs: Any) -> None:
    sample = draw(40_000, 0.3, seed=5)  # more than one chunk of `make_sample`
    expected = theirs(sample.labels, sample.predictions)
    assert find_metric(name).compute(sample.totals) == pytest.approx(expected, rel=1e-9)


def test_half_width_is_students_when_influences_have_a_normal_spread() -> None:
    sample = draw(10_000, 0.5, seed=6)
    influence = np.tile([1e-4, -1e-4], 5_000)
    # All influences are equally large, so all examples count.
    assert half_width(influence, sample.totals, 0.95) == pytest.approx(1.96e-2, rel=2e-4)
    assert half_width(influence, sample.totals, 0.99) == pytest.approx(2.576e-2, rel=2e-4)


def test_half_width_is_larger_when_few_examples_determine_the_variance() -> None:
    sample = draw(1_000, 0.5, seed=7)
    many, few = np.full(1_000, 0.01), np.zeros(1_000)
    few[:4] = np.sqrt(0.1 / 4)
    widths = [half_width(influence, sample.totals, 0.95) for influence in (many, few)]
    # Student's t for 999 and for 3 degrees of freedom, of the same variance.
    assert widths == pytest.approx([1.962 * 0.1**0.5, 3.182 * (0.1 * 4 / 3) ** 0.5], rel=1e-3)


@pytest.mark.parametrize(
    ('labels', 'influence'),
    [
        ([0, 0, 0, 0, 1, 1], [0.1, -0.1] * 3),
        ([0, 0, 0, 1, 1, 1], [0.0] * 6),
        ([0, 0, 0, 1, 1, 1], [1.0, *[0.001] * 5]),
    ],
    ids=['two examples of a label', 'no spread', 'one example determines the variance'],
)
def test_half_width_is_none_when_the_variance_is_unknown(
    labels: list[int], influence: list[float]
) -> None:
    sample = make_sample(np.array(labels), np.linspace(0.1, 0.9, 6), 0.5)
    assert half_width(np.array(influence), sample.totals, 0.95) is None


def test_largest_bias_is_the_calibration_error_that_noise_makes() -> None:
    rng = np.random.default_rng(8)
    predictions = rng.random(2_000)
    errors, bounds = [], []
    for _ in range(50):
        sample = make_sample((rng.random(2_000) < predictions).astype(np.int8), predictions, 0.5)
        errors.append(find_metric(CALIBRATION_ERROR).compute(sample.totals))
        bounds.append(largest_bias(sample))
    # The model has no error, so all of it is noise; their mean is known to 3%.
    assert np.mean(errors) == pytest.approx(np.mean(bounds), rel=0.1)
