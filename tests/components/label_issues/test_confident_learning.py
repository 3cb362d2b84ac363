from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.label_issues.confident_learning import (
    Labels,
    Numbers,
    count_label_errors,
    find_label_errors,
)

# Labels and probabilities that occur once, often, and at the ends of their range.
_PROBABILITY = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
_EXAMPLES = st.lists(st.tuples(st.integers(0, 1), _PROBABILITY), min_size=1, max_size=60)


def columns(examples: list[tuple[int, float]]) -> tuple[Labels, Numbers]:
    labels, probabilities = zip(*examples)
    return np.array(labels, np.int8), np.array(probabilities, np.float64)


def make_noisy(seed: int, count: int, noise: tuple[float, float]) -> tuple[Labels, Labels, Numbers]:
    """Return true labels, given labels, and the scores of a good calibrated model."""
    rng = np.random.default_rng(seed)
    # The true label has this probability, which a perfect model knows; most are near 0 or 1.
    probability = rng.beta(0.08, 0.08, count)
    true = (rng.random(count) < probability).astype(np.int8)
    flipped = rng.random(count) < np.array(noise)[true]
    return true, np.where(flipped, 1 - true, true).astype(np.int8), probability


def test_errors_are_found_in_order_when_their_scores_contradict_the_label() -> None:
    labels = np.array([0] * 6 + [1] * 6, np.int8)
    probabilities = np.array(
        [0.1, 0.1, 0.2, 0.1, 0.95, 0.1, 0.9, 0.02, 0.9, 0.8, 0.9, 0.9], np.float64
    )
    assert find_label_errors(labels, probabilities).tolist() == [7, 4]
    assert count_label_errors(labels, probabilities) == (1, 1)


def test_threshold_of_a_label_is_the_mean_of_its_scores_when_the_model_is_unsure() -> None:
    # The means are 0.3 of the negative and 0.4 of the positive examples. The score 0.45 is
    # confidently positive, although it is below 0.5, and 0.35 is neither.
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    probabilities = np.array([0.1, 0.35, 0.45, 0.45, 0.45, 0.3], np.float64)
    assert count_label_errors(labels, probabilities) == (
        round(3 * 1 / 2),  # one of two negative examples that are confident
        round(3 * 1 / 3),  # the positive example with 0.3 is confidently negative
    )
    # No negative example is predicted to be positive.
    assert find_label_errors(labels, probabilities).tolist() == [5]


def test_result_is_that_of_cleanlab_when_both_get_the_same_scores() -> None:
    given = '110011110101100111001010111001111011100100100100011111111101'
    scores = (
        *(864, 764, 866, 703, 905, 768, 856, 76, 299, 53, 38, 710, 574, 262, 740, 591, 139, 803),
        *(330, 202, 730, 378, 336, 97, 754, 238, 536, 281, 113, 898, 801, 784, 648, 747, 311, 517),
        *(827, 283, 413, 367, 391, 115, 879, 256, 417, 920, 560, 220, 186, 204, 102, 909, 659, 222),
        *(600, 640, 481, 921, 205, 897),
    )
    labels = np.array([int(label) for label in given], np.int8)
    found = find_label_errors(labels, np.array(scores) / 1_000)
    # cleanlab 2.9.0: find_label_issues(..., return_indices_ranked_by='self_confidence').
    of_cleanlab = [9, 7, 50, 2, 16, 49, 53, 25, 33, 14, 3, 34, 22, 39, 46, 56]
    assert found.tolist() == of_cleanlab


@pytest.mark.parametrize('noise', [(0.05, 0.05), (0.1, 0.02), (0.0, 0.2)])
def test_numbers_of_errors_are_estimated_when_noise_depends_on_the_label(
    noise: tuple[float, float],
) -> None:
    true, labels, probabilities = make_noisy(3, 40_000, noise)
    estimated = count_label_errors(labels, probabilities)
    for label in (0, 1):
        flipped = int(((labels == label) & (true != label)).sum())
        # A true label that a perfect model does not expect looks like an error, too.
        unexpected = int(((labels == label) & ((probabilities > 0.5) != (label == 1))).sum())
        assert 0.7 * flipped < estimated[label] < 1.3 * unexpected


def test_most_suspects_are_flipped_when_scores_are_good() -> None:
    true, labels, probabilities = make_noisy(5, 20_000, (0.05, 0.05))
    rows = find_label_errors(labels, probabilities)
    wrong = (labels != true)[rows]
    assert wrong[: len(wrong) // 2].mean() > 0.9
    assert wrong.sum() > 0.8 * (labels != true).sum()


def test_nothing_is_suspected_when_scores_agree_with_labels() -> None:
    labels = np.array([0, 1] * 50, np.int8)
    assert find_label_errors(labels, labels * 0.8 + 0.1).tolist() == []
    assert count_label_errors(labels, labels * 0.8 + 0.1) == (0, 0)


@pytest.mark.parametrize('label', [0, 1])
def test_nothing_is_suspected_when_only_one_label_occurs(label: int) -> None:
    labels = np.full(9, label, np.int8)
    assert find_label_errors(labels, np.linspace(0, 1, 9)).tolist() == []
    assert find_label_errors(labels[:0], np.zeros(0)).tolist() == []


def test_example_is_ignored_when_it_has_no_probability() -> None:
    labels = np.array([0] * 6 + [1] * 6 + [0, 1, 0], np.int8)
    scores = [0.1, 0.1, 0.2, 0.1, 0.95, 0.1, 0.9, 0.02, 0.9, 0.8, 0.9, 0.9]
    assert find_label_errors(labels, np.array([*scores, np.nan, -0.5, 1.5])).tolist() == [7, 4]


def test_equal_examples_are_all_suspected_when_one_of_them_is() -> None:
    # One error is expected, but three examples have its score, such as the copies of a text.
    labels = np.array([0] * 12 + [1] * 9, np.int8)
    probabilities = np.array([0.1] * 9 + [0.97] * 3 + [0.8] * 9)
    assert find_label_errors(labels, probabilities).tolist() == [9, 10, 11]
    once = np.array([0.1] * 9 + [0.6, 0.97, 0.97] + [0.97] * 9)
    assert count_label_errors(labels, once)[0] == 2
    assert find_label_errors(labels, once).tolist() == [10, 11]


@settings(max_examples=200, deadline=None)
@given(_EXAMPLES)
def test_same_examples_are_suspected_when_their_order_changes(
    examples: list[tuple[int, float]],
) -> None:
    labels, probabilities = columns(examples)
    found = find_label_errors(labels, probabilities)
    order = np.random.default_rng(len(examples)).permutation(len(examples))
    moved = find_label_errors(labels[order], probabilities[order])
    assert sorted(order[moved].tolist()) == sorted(found.tolist())
    confidence = np.where(labels == 1, probabilities, 1 - probabilities)
    assert confidence[order][moved].tolist() == confidence[found].tolist()


@settings(max_examples=200, deadline=None)
@given(_EXAMPLES)
def test_suspects_are_predicted_otherwise_and_bounded_when_any_scores_come(
    examples: list[tuple[int, float]],
) -> None:
    labels, probabilities = columns(examples)
    rows = find_label_errors(labels, probabilities)
    confidence = np.where(labels == 1, probabilities, 1 - probabilities)
    assert (confidence[rows] < 0.5).all()
    assert (np.diff(confidence[rows]) >= 0).all()
    assert len(set(rows.tolist())) == len(rows)
    for label, count in enumerate(count_label_errors(labels, probabilities)):
        # An example of each label is correct. Only examples with equal scores exceed the estimate.
        of_label = rows[labels[rows] == label]
        assert count <= max(0, (labels == label).sum() - 1)
        assert len(of_label) <= count or (
            confidence[of_label[count - 1]] == confidence[of_label[-1]]
        )


@settings(max_examples=200, deadline=None)
@given(_EXAMPLES)
def test_result_is_the_same_when_both_labels_are_swapped(
    examples: list[tuple[int, float]],
) -> None:
    # A probability of 0.5 is for the label 0 in both cases, as in cleanlab; and 1 - p is rounded.
    examples = [(label, round(p * 64) / 64) for label, p in examples if round(p * 64) != 32]
    labels, probabilities = columns([*examples, (0, 0.0), (1, 1.0)])
    swapped = (1 - labels).astype(np.int8)
    assert (
        find_label_errors(swapped, 1 - probabilities).tolist()
        == find_label_errors(labels, probabilities).tolist()
    )
