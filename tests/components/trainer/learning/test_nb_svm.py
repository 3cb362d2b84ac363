from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, sparse

from components.trainer.learning import nb_svm
from components.trainer.learning.nb_svm import (
    LinearModel,
    Unlabelled,
    fit_nb_svm,
    fit_svm,
    naive_bayes_ratios,
    out_of_fold_scores,
)

Labels = npt.NDArray[np.int8]


def make_presence(texts: int, ngrams: int, density: float, seed: int) -> sparse.csr_matrix:
    # Not scipy's own `random`, which draws others from version to version.
    present = np.random.default_rng(seed).random([texts, ngrams]) < density
    return sparse.csr_matrix(present.astype(np.float32))


def make_labels(texts: int, share: float, seed: int) -> Labels:
    labels = np.zeros(texts, np.int8)
    labels[: max(1, round(texts * share))] = 1
    return np.random.default_rng(seed).permutation(labels)


def make_learnable(texts: int, seed: int, share: float = 0.5) -> tuple[sparse.csr_matrix, Labels]:
    """Make texts of which some n-grams indicate the label."""
    rng = np.random.default_rng(seed)
    labels = make_labels(texts, share, seed)
    telling = rng.random([texts, 10]) < np.where(labels > 0, 0.5, 0.2)[:, np.newaxis]
    other = rng.random([texts, 40]) < 0.2
    return sparse.csr_matrix(np.hstack([telling, other]).astype(np.float32)), labels


def objective(
    rows: npt.NDArray[np.float64], labels: Labels, cost: float, weights: npt.NDArray[np.float64]
) -> float:
    """Compute what `fit_svm` minimises; the last weight is the bias."""
    signs = np.where(labels > 0, 1.0, -1.0)
    slack = np.maximum(0, 1 - signs * (rows @ weights[:-1] + weights[-1]))
    return float(0.5 * weights @ weights + cost * slack @ slack)


def least(rows: npt.NDArray[np.float64], labels: Labels, cost: float) -> float:
    signs = np.where(labels > 0, 1.0, -1.0)

    def with_gradient(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slack = np.maximum(0, 1 - signs * (rows @ weights[:-1] + weights[-1]))
        pull = -2 * cost * signs * slack
        return objective(rows, labels, cost, weights), weights + np.append(
            rows.T @ pull, pull.sum()
        )

    found = optimize.minimize(
        with_gradient,
        np.zeros(rows.shape[1] + 1),
        jac=True,
        method='L-BFGS-B',
        options={'maxiter': 5_000, 'ftol': 1e-12, 'gtol': 1e-8},
    )
    return float(found.fun)


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
    matrix = sparse.csr_matrix(np.array(presence, np.float32))
    ratios = naive_bayes_ratios(matrix, np.array(labels, np.int8))
    np.testing.assert_allclose(ratios, expected, atol=1e-6)
    assert ratios.dtype == np.float32


def test_ratios_of_rare_ngrams_favour_their_label_when_it_is_the_more_frequent_one() -> None:
    # One text in 20 is positive; the n-grams but the first are in one or two texts each.
    columns = [[0], *([1 + text // 2, 1 + (text + 1) // 2] for text in range(19))]
    presence = np.zeros([20, 11], np.float32)
    for row, found in enumerate(columns):
        presence[row, found] = 1
    labels = np.zeros(20, np.int8)
    labels[0] = 1
    ratios = naive_bayes_ratios(sparse.csr_matrix(presence), labels)
    assert ratios[0] > 0
    assert (ratios[1:] < 0).all()


@pytest.mark.parametrize('label', [0, 1])
def test_ratios_are_finite_when_texts_of_a_label_have_no_ngrams(label: int) -> None:
    presence = sparse.csr_matrix(np.array([[0, 0], [1, 1]], np.float32))
    assert np.isfinite(naive_bayes_ratios(presence, np.array([1 - label, label], np.int8))).all()


@pytest.mark.parametrize(
    ('texts', 'ngrams', 'share', 'cost'),
    [
        *(
            (*shape, share, cost)
            for shape in ((200, 50), (100, 1_000))
            for share in (0.5, 0.1, 0.9)
            for cost in (0.1, 1.0, 10.0, 100.0)
        ),
        *((2_000, 300, 0.01, cost) for cost in (0.1, 1.0)),
    ],
)
def test_svm_is_at_the_optimum_that_scipy_finds(
    texts: int, ngrams: int, share: float, cost: float
) -> None:
    rows = make_presence(texts, ngrams, 0.1, seed=5)
    values = np.random.default_rng(5).normal(size=rows.nnz)
    rows.data = (values / np.sqrt(ngrams / 10)).astype(np.float32)
    labels = make_labels(texts, share, seed=6)
    weights, bias = fit_svm(rows, labels, cost)
    dense = rows.toarray().astype(np.float64)
    found = objective(dense, labels, cost, np.append(weights, bias).astype(np.float64))
    best = least(dense, labels, cost)
    assert best * (1 - 1e-6) <= found <= 1.01 * best


def test_svm_is_at_its_optimum_when_rows_are_scaled_by_ratios() -> None:
    presence, labels = make_learnable(300, seed=1, share=0.2)
    ratios = naive_bayes_ratios(presence, labels)
    dense = presence.toarray() * ratios
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    model = fit_nb_svm(presence, labels, 1.0)
    np.testing.assert_array_equal(model.ratios, ratios)
    weights = np.append(model.weights / ratios, model.bias).astype(np.float64)
    rows = dense.astype(np.float64)
    assert objective(rows, labels, 1.0, weights) <= 1.01 * least(rows, labels, 1.0)


@pytest.mark.parametrize('ngrams', [0, 3])
def test_svm_has_the_best_bias_when_no_text_has_an_ngram(ngrams: int) -> None:
    rows = sparse.csr_matrix((8, ngrams), dtype=np.float32)
    labels = np.array([1, 1, 1, 1, 1, 1, 0, 0], np.int8)
    weights, bias = fit_svm(rows, labels, 1.0)
    assert weights.tolist() == [0] * ngrams
    # b² / 2 + 6 (1 - b)² + 2 (1 + b)² is least where 17 b = 8.
    assert bias == pytest.approx(8 / 17, rel=1e-4)


def test_svm_is_zero_when_labels_are_balanced_and_rows_are_equal() -> None:
    weights, bias = fit_svm(
        sparse.csr_matrix(np.ones([4, 2], np.float32)), np.array([0, 1, 0, 1], np.int8), 1.0
    )
    assert [*weights, bias] == pytest.approx([0, 0, 0], abs=1e-4)


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


def test_out_of_fold_scores_are_at_chance_when_labels_are_random() -> None:
    # In-sample scores do reveal the label.
    presence = make_presence(400, 2_000, 0.02, seed=2)
    labels = make_labels(400, 0.5, seed=3)
    in_sample = fit_nb_svm(presence, labels, 1.0).scores(presence)
    assert accuracy(in_sample, labels) > 0.98
    assert accuracy(out_of_fold_scores(presence, labels, 1.0, seed=1), labels) < 0.6


def test_out_of_fold_scores_predict_the_label_when_ngrams_do() -> None:
    presence, labels = make_learnable(600, seed=4)
    assert accuracy(out_of_fold_scores(presence, labels, 1.0, seed=1), labels) > 0.75


def test_each_half_is_scored_by_a_model_of_the_other_when_out_of_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # N-gram i occurs in text i alone, so that a row identifies its text.
    labels = make_labels(41, 0.3, seed=7)
    halves: list[tuple[set[int], list[int]]] = []

    class Model:
        def __init__(self, learned: set[int]) -> None:
            self.learned = learned

        def scores(self, presence: sparse.csr_matrix) -> npt.NDArray[np.float32]:
            halves.append((self.learned, presence.indices.tolist()))
            return presence.indices.astype(np.float32)

    def fit(presence: sparse.csr_matrix, of_texts: Labels, cost: float, _: object) -> Model:
        np.testing.assert_array_equal(of_texts, labels[presence.indices])
        assert cost == 0.5
        return Model(set(presence.indices.tolist()))

    monkeypatch.setattr(nb_svm, 'fit_nb_svm', fit)
    scores = out_of_fold_scores(sparse.identity(41, np.float32, 'csr'), labels, 0.5, seed=1)
    assert scores.tolist() == list(range(41))
    assert len(halves) == 2
    for learned, scored in halves:
        assert learned == set(range(41)) - set(scored)
        assert 4 <= sum(labels[sorted(learned)]) <= 8
        assert 20 <= len(learned) <= 21


def test_out_of_fold_scores_are_equal_when_the_seed_is_equal() -> None:
    presence, labels = make_learnable(100, seed=5)
    first, second = (out_of_fold_scores(presence, labels, 1.0, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first != out_of_fold_scores(presence, labels, 1.0, seed=2)).any()


def test_ratios_equal_those_of_all_texts_when_unlabelled_ones_have_full_weight() -> None:
    presence, labels = make_learnable(200, seed=6)
    # The labels of the second half are unknown, and the first model predicts them.
    known, unknown = np.arange(100), np.arange(100, 200)
    first = fit_nb_svm(presence[known], labels[known], 1.0)
    guessed = (first.scores(presence[unknown]) > 0).astype(np.int8)
    model = fit_nb_svm(presence[known], labels[known], 1.0, Unlabelled(presence[unknown], 1.0))
    expected = naive_bayes_ratios(presence, np.append(labels[known], guessed))
    np.testing.assert_allclose(model.ratios, expected, rtol=1e-5, atol=1e-6)


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
