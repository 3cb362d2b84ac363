"""Document vectors and the regression on them, as matrices and through the model."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from scipy import sparse, special
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from components.trainer.dataset import LabelledTokens
from components.trainer.models.ngram.document_vectors import (
    Texts,
    learn_vectors,
    select_ngrams,
)
from components.trainer.models.ngram.model import NGramModel
from components.trainer.models.ngram.nb_svm import draw_halves
from components.trainer.models.ngram.settings import NgramSettings

TOPICS = 20
WORDS = 60  # of each topic
LABELLED, UNLABELLED = 2_000, 4_000


def make_texts(count: int, seed: int) -> tuple[LabelledTokens, npt.NDArray[np.int64]]:
    """Make texts of four words of one topic; a text of an odd topic is positive."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, TOPICS, count)
    rows = 2 + topics[:, np.newaxis] * WORDS + rng.integers(0, WORDS, [count, 4])
    return LabelledTokens.from_rows(rows.tolist(), (topics % 2).tolist()), topics


def without_labels(data: LabelledTokens) -> LabelledTokens:
    return data._replace(labels=np.full_like(data.labels, np.nan))


def random_labels(data: LabelledTokens) -> LabelledTokens:
    rng = np.random.default_rng(6)
    return data._replace(labels=rng.integers(0, 2, data.labels.shape).astype(np.float32))


def loss(logits: npt.NDArray[np.float32], data: LabelledTokens) -> float:
    return float((np.logaddexp(0, logits) - data.labels * logits).mean())


def adapt(
    data: LabelledTokens, unlabelled: LabelledTokens | None, dimensions: int, seed: int = 1
) -> tuple[NGramModel, npt.NDArray[np.float32]]:
    settings = {'fit_to_val': False, 'max_ngram': 1, 'dimensions': dimensions}
    model = NGramModel(NgramSettings.model_validate(settings), seed)
    return model, model.adapt(data, LabelledTokens.from_rows([[2]], [1]), unlabelled).train


@pytest.fixture(scope='module')
def data() -> LabelledTokens:
    # One label in five is wrong, so that a rare word says little about its topic's label.
    data, _ = make_texts(LABELLED, seed=1)
    wrong = np.random.default_rng(2).random(data.labels.shape) < 0.2
    return data._replace(labels=np.where(wrong, 1 - data.labels, data.labels).astype(np.float32))


@pytest.fixture(scope='module')
def unlabelled() -> LabelledTokens:
    return without_labels(make_texts(UNLABELLED, seed=3)[0])


def as_presence(data: LabelledTokens) -> sparse.csr_matrix:
    cells = np.zeros([len(data.labels), 2 + TOPICS * WORDS], np.float32)
    cells[np.repeat(np.arange(len(data.labels)), np.diff(data.row_splits)), data.tokens] = 1
    return sparse.csr_matrix(cells)


def noisy_logits(data: LabelledTokens, seed: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    truth = np.nan_to_num(data.labels[:, 0], nan=0.5) * 2 - 1
    return (truth + rng.normal(0, 1.5, len(truth))).astype(np.float32)


def test_logits_equal_those_of_dense_matrices_when_all_directions_are_kept() -> None:
    """Follow the recipe with full vectors, and an exact decomposition."""
    data, _ = make_texts(120, seed=4)
    labels = data.labels[:, 0].astype(np.int8)
    halves = draw_halves(data.bags(), labels, seed=1)
    assert halves is not None
    cells, logits = as_presence(data), noisy_logits(data, seed=5)
    # Few words, in all texts, so that the random start spans the whole space.
    cells = sparse.csr_matrix(cells[:, 2:].toarray().reshape(120, TOPICS, WORDS).max(2))
    cells = sparse.csr_matrix(
        np.maximum(cells.toarray(), np.random.default_rng(7).random(cells.shape) < 0.3)
    ).astype(np.float32)
    selection = select_ngrams(Texts(cells, logits), None)
    assert selection is not None
    found = learn_vectors(selection, logits, labels, halves, dimensions=50, seed=1)

    dense, positive = cells.toarray().astype(float), special.expit(logits.astype(float))
    counts = [positive @ dense, (1 - positive) @ dense]
    share = counts[0].sum() / (counts[0].sum() + counts[1].sum())
    counts = [counts[0] + 2 * share, counts[1] + 2 * (1 - share)]
    ratios = np.log(counts[0] / counts[0].sum() * counts[1].sum() / counts[1])
    kept = (dense.sum(0) >= 10) & (np.abs(ratios) > 0.1)
    assert 3 < kept.sum() < TOPICS
    assert selection.indices.tolist() == np.flatnonzero(kept).tolist()
    strength, dense = np.abs(ratios[kept]), dense[:, kept]
    rows = dense * strength**0.5
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    texts, values, _ = np.linalg.svd(rows / np.where(norms > 0, norms, 1), full_matrices=False)
    texts = texts[:, values > 1e-3 * values[0]]
    vectors = dense.T @ texts
    lengths = np.linalg.norm(vectors, axis=1)
    factors = strength**0.75
    vectors *= (factors / lengths)[:, np.newaxis]
    sizes = 4 * np.sqrt(dense @ factors**2)
    sizes[sizes == 0] = 1
    own = texts * (dense @ (factors / lengths))[:, np.newaxis]
    inputs = np.column_stack([logits, (dense @ vectors - own) / sizes[:, np.newaxis]])
    regression = LogisticRegression(C=3.0, tol=1e-8, max_iter=1_000).fit(inputs, labels)

    new = np.column_stack([logits, dense @ vectors / sizes[:, np.newaxis]])
    selected = cells[:, selection.indices]
    quotients = np.sqrt(selected @ found.squares)
    quotients = selected @ found.weights / np.where(quotients > 0, quotients, 1)
    np.testing.assert_allclose(
        found.scale * logits + quotients + found.bias,
        regression.decision_function(new),
        atol=2e-3,
    )
    other = LogisticRegression(C=3.0, tol=1e-8, max_iter=1_000).fit(inputs[halves], labels[halves])
    np.testing.assert_allclose(
        found.out_of_fold[~halves], other.decision_function(inputs[~halves]), atol=2e-3
    )
    assert np.ptp(quotients) > 0.1


def test_new_texts_are_predicted_better_when_there_are_vectors(
    data: LabelledTokens, unlabelled: LabelledTokens
) -> None:
    new, _ = make_texts(1_000, seed=9)
    plain, corrected = (adapt(data, unlabelled, dimensions)[0] for dimensions in (0, TOPICS))
    before, after = (loss(model(new.ragged()).numpy(), new) for model in (plain, corrected))
    assert after < before - 0.02


def test_out_of_fold_loss_is_that_of_new_texts(
    data: LabelledTokens, unlabelled: LabelledTokens
) -> None:
    model, out_of_fold = adapt(data, unlabelled, TOPICS)
    new, _ = make_texts(4_000, seed=10)
    wrong = np.random.default_rng(11).random(new.labels.shape) < 0.2
    new = new._replace(labels=np.where(wrong, 1 - new.labels, new.labels))
    expected = loss(model(new.ragged()).numpy(), new)
    assert loss(out_of_fold, data) == pytest.approx(expected, abs=0.08)
    assert loss(model(data.ragged()).numpy(), data) < loss(out_of_fold, data)


def test_vectors_are_left_out_and_named_when_labels_are_random(
    data: LabelledTokens, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random_labels(data)
    with caplog.at_level(logging.INFO):
        model, out_of_fold = adapt(chance, None, TOPICS)
    assert 'document vectors left out' in caplog.text
    assert model.terms.shape[1] == 2
    plain, of_plain = adapt(chance, None, 0)
    np.testing.assert_array_equal(model.terms, plain.terms)
    np.testing.assert_array_equal(out_of_fold, of_plain)


def test_vectors_are_left_out_when_there_are_too_few_texts_for_halves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = LabelledTokens.from_rows([[2], [2], [2]], [0, 1, 1])
    with caplog.at_level(logging.INFO):
        adapt(data, None, 4)
    assert 'document vectors left out: too few texts have' in caplog.text


def test_loss_is_reported_when_vectors_are_used(
    data: LabelledTokens, unlabelled: LabelledTokens, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        adapt(data, unlabelled, TOPICS)
    (line,) = [record.getMessage() for record in caplog.records if 'vectors' in record.getMessage()]
    words = line.split()
    assert line.startswith('document vectors: loss ')
    assert float(words[-3]) < float(words[3])


def test_weights_are_equal_to_the_last_bit_when_blas_has_another_number_of_threads(
    data: LabelledTokens, unlabelled: LabelledTokens
) -> None:
    terms = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            terms.append(adapt(data, unlabelled, TOPICS)[0].terms.numpy())
    np.testing.assert_array_equal(*terms)
    assert terms[0].shape[1] == 4
    other = adapt(data, unlabelled, TOPICS, seed=2)[0].terms.numpy()
    assert (other[:, 2] != terms[0][:, 2]).any()


def test_contributions_add_up_to_the_logit_when_there_are_vectors(
    data: LabelledTokens, unlabelled: LabelledTokens
) -> None:
    model, _ = adapt(data, unlabelled, TOPICS)
    tokens = tf.ragged.constant([[2, 3, 2], [], [1, 1], [40, 41, 490]], dtype=tf.int32)
    parts = model.explain(tokens)
    sums = parts.bias + tf.math.unsorted_segment_sum(parts.values, parts.rows, 4)
    np.testing.assert_allclose(sums, model(tokens)[:, 0], atol=1e-5)
    assert model(tokens).numpy()[1:3, 0].tolist() == [float(model.bias)] * 2
