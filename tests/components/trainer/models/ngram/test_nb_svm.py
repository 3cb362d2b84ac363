from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, sparse
from sklearn.model_selection import StratifiedKFold

from components.trainer.models.ngram.nb_svm import (
    LinearModel,
    Unlabelled,
    calibrate,
    draw_halves,
    fit_nb_svm,
    out_of_fold_scores,
)

Labels = npt.NDArray[np.int8]


def make_labels(texts: int, share: float, seed: int) -> Labels:
    labels = np.zeros(texts, np.int8)
    labels[: max(1, round(texts * share))] = 1
    return np.random.default_rng(seed).permutation(labels)


def make_learnable(texts: int, seed: int, share: float = 0.5) -> tuple[sparse.csr_matrix, Labels]:
    """Make texts of which some n-grams indicate the label."""
    rng = np.random.default_rng(seed)
    labels = make_labels(texts, share, seed)
    informative = rng.random([texts, 10]) < np.where(labels > 0, 0.5, 0.2)[:, np.newaxis]
    other = rng.random([texts, 40]) < 0.2
    return sparse.csr_matrix(np.hstack([informative, other]).astype(np.float32)), labels


def fit_ratios(presence: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
    model = fit_nb_svm(sparse.csr_matrix(np.array(presence, np.float32)), np.int8(labels), 1.0)
    assert model.ratios.dtype == model.weights.dtype == np.float32
    return model.ratios


@pytest.mark.parametrize(
    ('presence', 'labels', 'expected'),
    [
        # N-gram 0 is in two positive texts, 1 in one of each, 2 in two negative ones, 3 in none.
        # With one more of each: positive 3, 2, 1, 1 of 7, negative 1, 2, 3, 1 of 7.
        (
            [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]],
            [1, 1, 0, 0],
            np.log([3, 1, 1 / 3, 1]),
        ),
        ([[1, 0]] * 4, [1, 0, 0, 0], [0, 0]),
    ],
    ids=['few_texts', 'every_text_has_the_ngram'],
)
def test_ratios_equal_those_computed_by_hand(
    presence: list[list[int]], labels: list[int], expected: list[float]
) -> None:
    np.testing.assert_allclose(fit_ratios(presence, labels), expected, atol=1e-6)


def test_ratios_of_rare_ngrams_favour_their_label_when_it_is_the_more_frequent_one() -> None:
    # One text in 20 is positive; the n-grams but the first are in one or two texts each.
    columns = [[0], *([1 + text // 2, 1 + (text + 1) // 2] for text in range(19))]
    presence = np.zeros([20, 11])
    for row, found in enumerate(columns):
        presence[row, found] = 1
    ratios = fit_ratios(presence, [1] + [0] * 19)
    assert ratios[0] > 0
    assert (ratios[1:] < 0).all()


@pytest.mark.parametrize('label', [0, 1])
def test_ratios_are_finite_when_texts_of_a_label_have_no_ngrams(label: int) -> None:
    assert np.isfinite(fit_ratios([[0, 0], [1, 1]], [1 - label, label])).all()


def objective(
    weights: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], labels: Labels, cost: float
) -> tuple[float, npt.NDArray[np.float64]]:
    """Compute what the SVM minimises, and its gradient; the last weight is the bias."""
    signs = np.where(labels > 0, 1.0, -1.0)
    slack = np.maximum(0, 1 - signs * (rows @ weights[:-1] + weights[-1]))
    pull = -2 * cost * signs * slack
    return (
        0.5 * weights @ weights + cost * slack @ slack,
        weights + np.append(rows.T @ pull, pull.sum()),
    )


@pytest.mark.parametrize('cost', [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize('share', [0.5, 0.1, 0.9])
def test_svm_is_at_the_optimum_that_scipy_finds(share: float, cost: float) -> None:
    presence, labels = make_learnable(200, seed=1, share=share)
    model = fit_nb_svm(presence, labels, cost)
    rows = presence.toarray().astype(np.float64) * model.ratios
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    args = (rows, labels, cost)
    options = {'maxiter': 5_000, 'ftol': 1e-12, 'gtol': 1e-8}
    best = optimize.minimize(
        objective, np.zeros(51), args, method='L-BFGS-B', jac=True, options=options
    ).fun
    weights = np.append(model.weights / model.ratios, model.bias).astype(np.float64)
    found, _ = objective(weights, *args)
    assert best * (1 - 1e-6) <= found <= 1.01 * best


@pytest.mark.parametrize('ngrams', [0, 3])
def test_svm_has_the_best_bias_when_no_text_has_an_ngram(ngrams: int) -> None:
    rows = sparse.csr_matrix((8, ngrams), dtype=np.float32)
    model = fit_nb_svm(rows, np.array([1, 1, 1, 1, 1, 1, 0, 0], np.int8), 1.0)
    assert model.weights.tolist() == [0] * ngrams
    # b² / 2 + 6 (1 - b)² + 2 (1 + b)² is least where 17 b = 8.
    assert model.bias == pytest.approx(8 / 17, rel=1e-4)


def test_score_is_the_bias_when_a_text_has_no_ngram_or_all_ratios_are_zero() -> None:
    model = LinearModel(np.array([2, 4], np.float32), np.array([3, 4], np.float32), 0.25)
    presence = sparse.csr_matrix(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32))
    scores = model.scores(presence)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([0.25, 0.25 + 2 / 3, 0.25 + 1, 0.25 + 6 / 5])
    zero = LinearModel(np.zeros(1, np.float32), np.zeros(1, np.float32), -1.5)
    assert zero.scores(sparse.csr_matrix(np.ones([2, 1], np.float32))).tolist() == [-1.5, -1.5]


def accuracy(scores: npt.NDArray[np.float32], labels: Labels) -> float:
    return float(np.mean((scores > 0) == labels))


def bags(presence: sparse.csr_matrix) -> npt.NDArray[np.uint64]:
    """Return a number for each text, which is the same if the n-grams are."""
    return np.unique(presence.toarray(), axis=0, return_inverse=True)[1].astype(np.uint64)


def score_halves(presence: sparse.csr_matrix, labels: Labels, seed: int) -> npt.NDArray[np.float32]:
    halves = draw_halves(bags(presence), labels, seed)
    assert halves is not None
    return out_of_fold_scores(presence, labels, 1.0, halves)


def test_out_of_fold_scores_are_at_chance_when_labels_are_random() -> None:
    # In-sample scores do reveal the label.
    presence = sparse.csr_matrix(np.random.default_rng(2).random([400, 2_000]) < 0.02, dtype='f4')
    labels = make_labels(400, 0.5, seed=3)
    in_sample = fit_nb_svm(presence, labels, 1.0).scores(presence)
    assert accuracy(in_sample, labels) > 0.98
    assert accuracy(score_halves(presence, labels, seed=1), labels) < 0.6


def test_out_of_fold_scores_predict_the_label_when_ngrams_do() -> None:
    presence, labels = make_learnable(600, seed=4)
    first, again, other = (score_halves(presence, labels, seed) for seed in (1, 1, 2))
    assert accuracy(first, labels) > 0.75
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_halves_are_those_of_stratified_folds_when_no_texts_are_equal() -> None:
    presence = sparse.csr_matrix(np.random.default_rng(5).random([301, 200]) < 0.1, dtype='f4')
    labels = make_labels(301, 0.3, seed=6)
    for seed in (1, 2):
        folds = StratifiedKFold(2, shuffle=True, random_state=seed).split(labels, labels)
        halves = draw_halves(bags(presence), labels, seed)
        assert halves is not None
        np.testing.assert_array_equal(np.flatnonzero(halves), next(folds)[0])


@pytest.mark.parametrize('share', [0.5, 0.1])
def test_equal_texts_share_a_half_and_labels_are_stratified(share: float) -> None:
    presence, labels = make_learnable(200, seed=5, share=share)
    halves = draw_halves(bags(presence), labels, seed=1)
    assert halves is not None
    copies = np.random.default_rng(6).permutation(np.repeat(np.arange(200), 7))
    with_copies = draw_halves(bags(presence)[copies], labels[copies], seed=1)
    assert with_copies is not None
    by_text = [set(with_copies[copies == text].tolist()) for text in range(200)]
    assert all(len(found) == 1 for found in by_text)
    for label in (0, 1):
        assert abs(2 * with_copies[labels[copies] == label].sum() - 7 * sum(labels == label)) <= 7
    # A copy of one text leaves the halves of all others as they are.
    rows = [*range(200), 17]
    one_more = draw_halves(bags(presence)[rows], labels[rows], seed=1)
    assert one_more is not None
    np.testing.assert_array_equal(one_more, halves[rows])


def test_out_of_fold_scores_are_at_chance_when_copies_have_random_labels() -> None:
    distinct = sparse.csr_matrix(np.random.default_rng(7).random([300, 500]) < 0.05, dtype='f4')
    copies = np.repeat(np.arange(300), 5)
    presence, labels = distinct[copies], make_labels(300, 0.5, seed=8)[copies]
    scores = score_halves(presence, labels, seed=1)
    assert accuracy(scores, labels) < 0.6
    scale, shift = calibrate(scores, labels)
    assert np.abs(scale * scores + shift).max() < 1


@pytest.mark.parametrize(
    ('texts', 'labels', 'can_be_divided'),
    [
        ([0] * 6, [0, 1] * 3, False),
        ([0, 0, 1, 1], [0, 0, 1, 1], False),
        ([0, 1, 2, 3], [0, 0, 0, 1], False),
        ([0, 1, 2, 3], [0, 0, 0, 0], False),
        ([0], [1], False),
        ([], [], False),
        ([0, 1, 2, 3], [0, 1, 0, 1], True),
        # Each text has both labels, 0 more often.
        ([0] * 3 + [1] * 3, [0, 0, 1] * 2, True),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings('error')
def test_halves_have_both_labels_or_there_are_none(
    texts: list[int], labels: list[int], can_be_divided: bool
) -> None:
    for seed in range(5):
        halves = draw_halves(np.array(texts, np.uint64), np.array(labels, np.int8), seed)
        assert (halves is not None) == can_be_divided
        if halves is not None:
            parts = [np.array(labels)[half] for half in (halves, ~halves)]
            assert [set(part.tolist()) for part in parts] == [{0, 1}] * 2


@pytest.mark.parametrize(('weight', 'each'), [(0.5, 0.5), (10.0, 1.0), (0.0, 0.0)])
def test_unlabelled_text_has_its_weight_and_at_most_that_of_a_labelled_one(
    weight: float, each: float
) -> None:
    presence = sparse.csr_matrix(np.array([[1, 0], [0, 1]], np.float32))
    labels = np.array([1, 0], np.int8)
    unlabelled = sparse.csr_matrix(np.array([[1, 0], [1, 0]], np.float32))
    model = fit_nb_svm(presence, labels, 1.0, Unlabelled(unlabelled, weight))
    # Smoothed by two in all, divided like the counts: 1 + 2 * each positive, 1 negative.
    share = (1 + 2 * each) / (2 + 2 * each)
    positive = np.array([1 + 2 * each, 0]) + 2 * share
    negative = np.array([0, 1]) + 2 * (1 - share)
    expected = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    np.testing.assert_allclose(model.ratios, expected, rtol=1e-5)


def test_accuracy_rises_when_rare_ngrams_are_in_texts_without_a_label() -> None:
    presence, labels = make_learnable(1_000, seed=7)
    known, unknown, unseen = np.split(np.arange(1_000), [60, 700])
    plain = fit_nb_svm(presence[known], labels[known], 1.0)
    helped = fit_nb_svm(presence[known], labels[known], 1.0, Unlabelled(presence[unknown], 2.0))

    def margin(model: LinearModel) -> float:
        scores = model.scores(presence[unseen])
        return float(np.corrcoef(scores, labels[unseen])[0, 1])

    assert margin(helped) > margin(plain)


def test_calibration_finds_scale_and_shift_when_labels_are_drawn_by_them() -> None:
    rng = np.random.default_rng(8)
    scores = rng.normal(size=50_000).astype(np.float32)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-(2.5 * scores - 0.7)))).astype(np.int8)
    assert calibrate(scores, labels) == pytest.approx((2.5, -0.7), abs=0.1)


@pytest.mark.parametrize('gap', [1e-3, 1.0, 1e3])
def test_calibration_is_finite_when_scores_separate_the_labels(gap: float) -> None:
    scores = np.array([-gap] * 50 + [gap] * 50, np.float32)
    scale, shift = calibrate(scores, np.repeat(np.array([0, 1], np.int8), 50))
    # Platt's targets are 51 of 52 and 1 of 52.
    assert scale * gap == pytest.approx(np.log(51), rel=1e-3)
    assert shift == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize('positives', [1, 10, 990, 999])
def test_calibration_gives_the_base_rate_when_scores_are_constant(positives: int) -> None:
    labels = np.zeros(1_000, np.int8)
    labels[:positives] = 1
    scores = np.full(1_000, 0.3, np.float32)
    scale, shift = calibrate(scores, labels)
    assert np.isfinite([scale, shift]).all()
    # Platt's targets leave the rate as it is, up to two examples.
    probability = 1 / (1 + np.exp(-(scale * 0.3 + shift)))
    assert probability * 1_000 == pytest.approx(positives, abs=2)


@pytest.mark.parametrize('label', [0, 1])
def test_calibration_is_finite_when_all_labels_are_one(label: int) -> None:
    scores = np.random.default_rng(9).normal(size=100).astype(np.float32)
    logits = np.array(calibrate(scores, np.full(100, label, np.int8))) @ [scores, np.ones(100)]
    assert np.isfinite(logits).all()
    assert ((logits > 0) == label).all()
