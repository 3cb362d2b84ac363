from __future__ import annotations

import numpy as np
import pytest

from components.trainer.dataset import LabelledTokens
from components.trainer.models.accurate import word_vectors as module
from components.trainer.models.accurate.word_vectors import word_vectors


def make_data(count: int) -> LabelledTokens:
    """Make texts of two kinds: 2 and 3 among 10 to 19, 4 and 5 among 20 to 29."""
    rng = np.random.default_rng(2)
    texts = []
    for number in range(count):
        own, company = ([2, 3], range(10, 20)) if number % 2 else ([4, 5], range(20, 30))
        words = [int(rng.choice(own)), *rng.choice(list(company), 5).tolist()]
        texts.append(rng.permutation(words).tolist())
    return LabelledTokens.from_rows(texts, [0.0] * count)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_vectors_are_similar_when_words_have_the_same_neighbours() -> None:
    vectors = word_vectors(make_data(400), words=30, dim=8, seed=1)
    assert vectors.shape == (30, 8)
    assert vectors.dtype == np.float32
    assert cosine(vectors[2], vectors[3]) > 0.8
    assert cosine(vectors[2], vectors[4]) < 0.3


def test_vectors_have_equal_norms_when_words_have_neighbours() -> None:
    vectors = word_vectors(make_data(100), words=40, dim=4, seed=1)
    norms = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(norms[[2, 3, 4, 5, *range(10, 30)]], 3.0, rtol=1e-4)
    assert norms[[0, 1, *range(6, 10), *range(30, 40)]].tolist() == [0] * 16


@pytest.mark.parametrize('texts', [[], [[]], [[2]], [[1, 1, 1]], [[2], [3]]])
def test_vectors_are_zero_when_no_word_stands_near_another(texts: list[list[int]]) -> None:
    data = LabelledTokens.from_rows(texts, [0.0] * len(texts))
    assert not word_vectors(data, words=5, dim=3, seed=1).any()


def test_vectors_are_the_same_when_words_are_counted_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_data(50)
    whole = word_vectors(data, words=30, dim=6, seed=1)
    monkeypatch.setattr(module, '_WORDS_PER_PART', 7)
    np.testing.assert_allclose(word_vectors(data, words=30, dim=6, seed=1), whole, atol=1e-4)


def test_vectors_are_finite_when_there_are_more_columns_than_words() -> None:
    data = LabelledTokens.from_rows([[2, 3, 2, 3]], [0])
    vectors = word_vectors(data, words=4, dim=50, seed=1)
    assert vectors.shape == (4, 50)
    assert np.isfinite(vectors).all()
