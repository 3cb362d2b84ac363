from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from components.trainer.dataset import LabelledTokens
from components.trainer.layers.ngram_logits import NGramLogits
from components.trainer.learning.calibration import calibrate
from components.trainer.learning.nb_svm import Unlabelled, fit_nb_svm, out_of_fold_scores
from components.trainer.learning.ngram_counts import count_ngrams, find_ngrams

UNSEEN = 500  # known to the vocabulary, and in no training text


def make_layer(max_ngram: int = 3, seed: int = 1) -> NGramLogits:
    return NGramLogits(
        max_ngram=max_ngram, min_documents=2, cost=1.0, unlabelled_weight=0.5, seed=seed
    )


def make_data(texts: int, seed: int, share: float = 0.5) -> LabelledTokens:
    """Make texts of up to 30 tokens, some of which indicate the label; id 1 is the unknown word."""
    rng = np.random.default_rng(seed)
    labels = rng.random(texts) < share
    rows = [
        np.where(rng.random(n) < 0.2, 2 + 2 * rng.integers(0, 5, n) + label, rng.integers(1, 60, n))
        for label, n in zip(labels, rng.integers(0, 30, texts))
    ]
    return LabelledTokens.from_rows([row.tolist() for row in rows], labels.astype(int).tolist())


def logits_of(layer: NGramLogits, *rows: list[int]) -> list[float]:
    tokens = LabelledTokens.from_rows(list(rows), [0] * len(rows)).ragged()
    logits = layer(tokens)
    assert logits.shape == (len(rows), 1)
    assert logits.dtype == tf.float32
    values: list[float] = logits.numpy()[:, 0].tolist()
    return values


@pytest.fixture(scope='module')
def data() -> LabelledTokens:
    return make_data(300, seed=1)


@pytest.fixture(scope='module')
def layer(data: LabelledTokens) -> NGramLogits:
    layer = make_layer()
    layer.adapt(data)
    return layer


@pytest.mark.parametrize(
    ('max_ngram', 'share', 'with_unlabelled'),
    [*((n, share, False) for n in (1, 2, 3) for share in (0.5, 0.1)), (3, 0.5, True)],
)
def test_logits_equal_those_of_numpy_when_the_layer_is_trained(
    max_ngram: int, share: float, with_unlabelled: bool
) -> None:
    data = make_data(200, seed=2, share=share)
    labels = data.labels[:, 0].astype(np.int8)
    counts = count_ngrams(data, max_ngram, 2)
    texts = unlabelled = None
    if with_unlabelled:
        texts = make_data(500, seed=3)
        texts = texts._replace(labels=np.full_like(texts.labels, np.nan))
        unlabelled = Unlabelled(find_ngrams(texts, counts.keys, max_ngram), 0.5)
    model = fit_nb_svm(counts.presence, labels, 1.0, unlabelled)
    scores = out_of_fold_scores(counts.presence, labels, 1.0, 7, unlabelled)
    scale, shift = calibrate(scores, labels)
    layer, plain = make_layer(max_ngram, seed=7), make_layer(max_ngram, seed=7)
    out_of_fold, val_logits = layer.adapt(data, unlabelled=texts)
    assert val_logits is None
    expected = scale * model.scores(counts.presence) + shift
    np.testing.assert_allclose(layer(data.ragged())[:, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out_of_fold[:, 0], scale * scores + shift, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 0.5
    plain.adapt(data)
    difference = np.abs(layer(data.ragged()) - plain(data.ragged())).max()
    assert difference > 0.01 if with_unlabelled else difference == 0


def test_validation_logits_equal_those_of_the_layer_when_they_fill_several_batches(
    data: LabelledTokens,
) -> None:
    watched = make_data(2_300, seed=3)  # more than two batches
    layer = make_layer()
    out_of_fold, logits = layer.adapt(data, watched)
    assert logits is not None
    np.testing.assert_allclose(logits, layer(watched.ragged()), rtol=1e-5, atol=1e-6)
    assert (out_of_fold.shape, logits.shape) == ((300, 1), (2_300, 1))
    assert (out_of_fold.dtype, logits.dtype) == (np.float32, np.float32)


def test_validation_texts_do_not_change_the_weights_when_given(
    data: LabelledTokens, layer: NGramLogits
) -> None:
    other = make_layer()
    other.adapt(data, LabelledTokens.from_rows([[UNSEEN]] * 50, [1] * 50))
    np.testing.assert_array_equal(other.terms.numpy(), layer.terms.numpy())
    assert float(other.bias) == float(layer.bias)


def test_logit_is_unchanged_when_an_ngram_is_repeated(layer: NGramLogits) -> None:
    once = logits_of(layer, [2, 2, 2], [4, 5, 4, 5, 4])
    assert logits_of(layer, [2] * 50, [4, 5] * 40) == pytest.approx(once, abs=1e-6)
    assert once[0] != pytest.approx(once[1], abs=1e-3)


def test_logit_changes_when_a_new_ngram_is_added(layer: NGramLogits) -> None:
    one, other = logits_of(layer, [2, 1], [2, 1, 3])
    assert one < other


@pytest.mark.parametrize('form', ['padded', 'one row at a time', 'traced'])
def test_logits_agree_when_tokens_come_in_another_form(
    form: str, data: LabelledTokens, layer: NGramLogits
) -> None:
    tokens = data.ragged()
    if form == 'padded':
        found = layer(tf.constant(data.padded(40)))
    elif form == 'traced':
        signature = [tf.RaggedTensorSpec([None, None], tf.int32)]
        found = tf.function(layer, input_signature=signature)(tokens)
    else:
        found = np.concatenate([layer(tokens[row : row + 1]) for row in range(30)])
    np.testing.assert_allclose(found, layer(tokens)[: len(found)], rtol=1e-5, atol=1e-6)
    assert len(found) >= 30


@pytest.mark.parametrize('row', [[], [1], [1, 1, 1, 1], [UNSEEN], [UNSEEN, 1, UNSEEN]], ids=repr)
def test_logit_is_the_bias_when_no_ngram_is_known(layer: NGramLogits, row: list[int]) -> None:
    assert logits_of(layer, row) == [float(layer.bias)]
    assert logits_of(layer, [2], row, [3])[1] == float(layer.bias)


def test_logit_is_unchanged_when_unknown_words_are_added_at_the_ends(layer: NGramLogits) -> None:
    bare, among = logits_of(layer, [2, 4, 6], [1, 1, 2, 4, 6, 1])
    assert among == pytest.approx(bare, abs=1e-6)


def test_logits_are_finite_when_there_are_no_rows_and_when_one_has_20_000_tokens(
    layer: NGramLogits,
) -> None:
    assert logits_of(layer) == []
    long = np.random.default_rng(4).integers(1, 60, 20_000).tolist()
    logits = logits_of(layer, long, [], [3, 5])
    assert np.isfinite(logits).all()
    assert logits == pytest.approx(
        [logits_of(layer, row)[0] for row in (long, [], [3, 5])], abs=1e-5
    )


@pytest.mark.parametrize('labels', [[0, 0, 1], [0, 0, 0, 1, 1, 1, 1]], ids=repr)
def test_logit_is_the_base_rate_when_no_ngram_is_in_two_texts(labels: list[float]) -> None:
    data = LabelledTokens.from_rows([[10 + number] for number in range(len(labels))], labels)
    layer = make_layer()
    out_of_fold, logits = layer.adapt(data, data)
    assert logits is not None
    np.testing.assert_array_equal(logits, np.full([len(labels), 1], float(layer.bias)))
    assert np.isfinite(out_of_fold).all()
    assert np.sign(float(layer.bias)) == np.sign(np.mean(labels) - 0.5)
    assert logits_of(layer, [10, 11], []) == [float(layer.bias)] * 2


def test_layer_learns_when_one_text_is_positive() -> None:
    data = LabelledTokens.from_rows(
        [[2, 3], [2, 4], [2, 5], [4, 5], [6, 7], [6]], [0, 0, 0, 0, 1, 0]
    )
    layer = make_layer()
    out_of_fold, logits = layer.adapt(data, data)
    assert logits is not None
    assert np.isfinite(out_of_fold).all()
    assert np.isfinite(logits).all()
    assert int(np.argmax(logits)) in {4, 5}


def weights(layer: NGramLogits) -> list[npt.NDArray[np.float32]]:
    return [variable.numpy() for variable in (layer.terms, layer.bias)]


def test_weights_are_equal_when_the_seed_is_equal(data: LabelledTokens, layer: NGramLogits) -> None:
    again, other = make_layer(), make_layer(seed=2)
    again.adapt(data)
    other.adapt(data)
    for one, two in zip(weights(layer), weights(again)):
        np.testing.assert_array_equal(one, two)
    # The seed is that of the halves, and so of the calibration alone.
    np.testing.assert_array_equal(weights(layer)[0][:, 1], weights(other)[0][:, 1])
    assert (weights(layer)[0][:, 0] != weights(other)[0][:, 0]).any()


def test_layer_has_no_trainable_weights_when_it_has_learned(layer: NGramLogits) -> None:
    assert layer.trainable_weights == []
    assert {variable.name for variable in layer.weights} == {'terms', 'bias'}
