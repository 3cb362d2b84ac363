from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models.ngram.model import NGramModel, train
from components.trainer.models.ngram.nb_svm import (
    Unlabelled,
    calibrate,
    draw_halves,
    fit_nb_svm,
    out_of_fold_scores,
)
from components.trainer.models.ngram.ngrams import count_ngrams, find_ngrams
from components.trainer.models.ngram.settings import NgramSettings
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import TEXT, loaded

UNSEEN = 500  # known to the vocabulary, and in no training text
METRICS = ['binary_accuracy', 'loss', 'val_binary_accuracy', 'val_loss']
NO_TEXTS = LabelledTokens.from_rows([[2]], [1])


def make_data(texts: int, seed: int, share: float = 0.5) -> LabelledTokens:
    """Make texts of up to 30 tokens, some of which indicate the label; id 1 is the unknown word."""
    rng = np.random.default_rng(seed)
    labels = rng.random(texts) < share
    rows = [
        np.where(rng.random(n) < 0.2, 2 + 2 * rng.integers(0, 5, n) + label, rng.integers(1, 60, n))
        for label, n in zip(labels, rng.integers(0, 30, texts))
    ]
    return LabelledTokens.from_rows([row.tolist() for row in rows], labels.astype(int).tolist())


def adapt(
    data: LabelledTokens,
    val: LabelledTokens = NO_TEXTS,
    unlabelled: LabelledTokens | None = None,
    **settings: Any,
) -> tuple[NGramModel, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a model and the logits of both splits."""
    seed = settings.pop('seed', 1)
    model = NGramModel(NgramSettings.model_validate({'fit_to_val': False, **settings}), seed)
    logits = model.adapt(data, val, unlabelled)
    return model, logits.train, logits.val


def train_on(
    data: LabelledTokens,
    val: LabelledTokens,
    log_dir: pathlib.Path,
    unlabelled: LabelledTokens | None = None,
    **settings: Any,
) -> TrainedModel:
    chosen = trainer_settings('ngram', **settings)
    return train(TrainingJob(loaded(data, val, unlabelled), chosen, TEXT, str(log_dir)))


def logits_of(model: keras.Model, data: LabelledTokens) -> np.ndarray:
    logits: np.ndarray = model(data.ragged(), training=False).numpy()
    return logits


def logits_of_rows(model: keras.Model, *rows: list[int]) -> list[float]:
    logits = logits_of(model, LabelledTokens.from_rows(list(rows), [0] * len(rows)))
    assert (logits.shape, logits.dtype) == ((len(rows), 1), np.float32)
    values: list[float] = logits[:, 0].tolist()
    return values


def loss_and_accuracy(logits: np.ndarray, data: LabelledTokens) -> list[float]:
    losses = np.logaddexp(0, logits) - data.labels * logits
    return [float(losses.mean()), float(((logits > 0) == (data.labels > 0)).mean())]


@pytest.fixture(scope='module')
def data() -> LabelledTokens:
    return make_data(300, seed=1)


@pytest.fixture(scope='module')
def model(data: LabelledTokens) -> NGramModel:
    return adapt(data)[0]


@pytest.mark.parametrize(
    ('max_ngram', 'share', 'with_unlabelled'),
    [*((n, share, False) for n in (1, 2, 3) for share in (0.5, 0.1)), (3, 0.5, True)],
)
def test_logits_equal_those_of_numpy_when_the_model_is_trained(
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
    svm = fit_nb_svm(counts.presence, labels, 1.0, unlabelled)
    halves = draw_halves(data.bags(), labels, seed=7)
    assert halves is not None
    scores = out_of_fold_scores(counts.presence, labels, 1.0, halves, unlabelled)
    scale, shift = calibrate(scores, labels)
    model, out_of_fold, _ = adapt(data, unlabelled=texts, max_ngram=max_ngram, seed=7)
    expected = scale * svm.scores(counts.presence) + shift
    np.testing.assert_allclose(logits_of(model, data)[:, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out_of_fold[:, 0], scale * scores + shift, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 0.5
    plain, _, _ = adapt(data, max_ngram=max_ngram, seed=7)
    difference = np.abs(logits_of(model, data) - logits_of(plain, data)).max()
    assert difference > 0.01 if with_unlabelled else difference == 0


def test_val_only_gets_logits_of_the_model_when_it_is_not_fitted_to_val(
    data: LabelledTokens, model: NGramModel
) -> None:
    val = make_data(2_300, seed=3)  # more than two batches
    other, out_of_fold, logits = adapt(data, val)
    np.testing.assert_allclose(logits, logits_of(other, val), rtol=1e-5, atol=1e-6)
    assert (out_of_fold.shape, logits.shape) == ((300, 1), (2_300, 1))
    assert (out_of_fold.dtype, logits.dtype) == (np.float32, np.float32)
    for one, two in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize('fit_to_val', [True, False])
def test_model_is_fitted_to_val_when_the_settings_ask_for_it(
    fit_to_val: bool, data: LabelledTokens
) -> None:
    # The word UNSEEN occurs only in positive texts of val.
    val = LabelledTokens.from_rows([[UNSEEN, 10 + number % 5] for number in range(20)], [1] * 20)
    model, *_ = adapt(data, val, fit_to_val=fit_to_val)
    (logit,), bias = logits_of_rows(model, [UNSEEN]), float(model.bias)
    assert logit > bias + 0.5 if fit_to_val else logit == bias


def test_logit_is_unchanged_when_an_ngram_is_repeated(model: NGramModel) -> None:
    once = logits_of_rows(model, [2, 2, 2], [4, 5, 4, 5, 4])
    assert logits_of_rows(model, [2] * 50, [4, 5] * 40) == pytest.approx(once, abs=1e-6)
    assert once[0] != pytest.approx(once[1], abs=1e-3)


@pytest.mark.parametrize('form', ['padded', 'one row at a time', 'traced'])
def test_logits_agree_when_tokens_come_in_another_form(
    form: str, data: LabelledTokens, model: NGramModel
) -> None:
    tokens = data.ragged()
    if form == 'padded':
        found = model(tf.constant(data.padded(40)))
    elif form == 'traced':
        signature = [tf.RaggedTensorSpec([None, None], tf.int32)]
        found = tf.function(model, input_signature=signature)(tokens)
    else:
        found = np.concatenate([model(tokens[row : row + 1]) for row in range(30)])
    np.testing.assert_allclose(found, model(tokens)[: len(found)], rtol=1e-5, atol=1e-6)
    assert len(found) >= 30


@pytest.mark.parametrize('row', [[], [1], [1, 1, 1, 1], [UNSEEN], [UNSEEN, 1, UNSEEN]], ids=repr)
def test_logit_is_the_bias_when_no_ngram_is_known(model: NGramModel, row: list[int]) -> None:
    assert logits_of_rows(model, row) == [float(model.bias)]
    assert logits_of_rows(model, [2], row, [3])[1] == float(model.bias)


def test_only_known_ngrams_change_the_logit_when_words_are_added(model: NGramModel) -> None:
    bare, among, more = logits_of_rows(model, [2, 4, 6], [1, 1, 2, 4, 6, 1], [2, 4, 6, 1, 3])
    assert among == pytest.approx(bare, abs=1e-6)
    assert more > bare


def test_logits_are_finite_when_there_are_no_rows_and_when_one_has_20_000_tokens(
    model: NGramModel,
) -> None:
    assert logits_of_rows(model) == []
    long = np.random.default_rng(4).integers(1, 60, 20_000).tolist()
    logits = logits_of_rows(model, long, [], [3, 5])
    assert np.isfinite(logits).all()
    singly = [logits_of_rows(model, row)[0] for row in (long, [], [3, 5])]
    assert logits == pytest.approx(singly, abs=1e-5)


@pytest.mark.parametrize('labels', [[0, 0, 1], [0, 0, 0, 1, 1, 1, 1]], ids=repr)
def test_logit_is_the_base_rate_when_no_ngram_is_in_two_texts(labels: list[float]) -> None:
    data = LabelledTokens.from_rows([[10 + number] for number in range(len(labels))], labels)
    model, out_of_fold, logits = adapt(data, data)
    np.testing.assert_array_equal(logits, np.full([len(labels), 1], float(model.bias)))
    assert np.isfinite(out_of_fold).all()
    assert np.sign(float(model.bias)) == np.sign(np.mean(labels) - 0.5)
    assert logits_of_rows(model, [10, 11], []) == [float(model.bias)] * 2


def test_model_learns_when_one_text_is_positive(tmp_path: pathlib.Path) -> None:
    data = LabelledTokens.from_rows(
        [[2, 3], [2, 4], [2, 5], [4, 5], [6, 7], [6]], [0, 0, 0, 0, 1, 0]
    )
    model, history, _ = train_on(data, data, tmp_path, fit_to_val=False)
    assert np.isfinite(list(history.values())).all()
    logits = logits_of(model, data)
    assert np.isfinite(logits).all()
    assert int(np.argmax(logits)) in {4, 5}


@pytest.mark.parametrize('fit_to_val', [True, False])
def test_history_is_out_of_fold_when_labels_are_random(
    fit_to_val: bool, tmp_path: pathlib.Path
) -> None:
    # Labels are random, so only memorised labels could give a good score.
    rng = np.random.default_rng(3)
    data, val = (
        LabelledTokens.from_rows(
            rng.integers(2, 400, [n, 30]).tolist(), (rng.random(n) < 0.5).astype(int).tolist()
        )
        for n in (400, 200)
    )
    model, history, _ = train_on(data, val, tmp_path, fit_to_val=fit_to_val)
    assert sorted(history) == METRICS
    assert [len(values) for values in history.values()] == [1] * 4
    assert list(tmp_path.glob('train/events*'))
    assert list(tmp_path.glob('validation/events*'))
    # The scores are as good as chance, and no more confident.
    assert history['binary_accuracy'][0] < 0.6
    assert history['val_binary_accuracy'][0] < 0.62
    assert history['loss'][0] == pytest.approx(np.log(2), abs=0.02)
    # The model itself memorised the labels, though calibration may have shifted the zero.
    memorised = logits_of(model, data)[:, 0] - float(model.bias)
    positive = data.labels[:, 0] > 0
    auc = np.mean(memorised[positive][:, np.newaxis] > memorised[~positive])
    assert max(auc, 1 - auc) > 0.95


@pytest.mark.parametrize('fit_to_val', [True, False])
def test_out_of_fold_logits_are_at_chance_when_labels_are_random(
    fit_to_val: bool, tmp_path: pathlib.Path
) -> None:
    rng = np.random.default_rng(8)
    splits = {
        split: LabelledTokens.from_rows(
            rng.integers(2, 400, [n, 30]).tolist(), rng.integers(0, 2, n).tolist()
        )
        for split, n in (('train', 400), ('val', 300))
    }
    trained = train_on(*splits.values(), tmp_path, fit_to_val=fit_to_val)
    assert set(trained.out_of_fold) == set(splits)
    for split, (labels, logits) in trained.out_of_fold.items():
        np.testing.assert_array_equal(labels, splits[split].labels)
        positive = labels[:, 0] > 0
        auc = np.mean(logits[positive] > logits[~positive][:, 0])
        assert auc == pytest.approx(0.5, abs=0.12)  # 3 standard errors and more


@pytest.mark.parametrize(('fit_to_val', 'expected'), [(True, set()), (False, {'val'})])
def test_no_logits_are_called_out_of_fold_when_there_are_too_few_texts_for_halves(
    fit_to_val: bool, expected: set[str], tmp_path: pathlib.Path
) -> None:
    data = LabelledTokens.from_rows([[2], [2], [2]], [0, 1, 1])
    trained = train_on(data, data, tmp_path, fit_to_val=fit_to_val)
    assert set(trained.out_of_fold) == expected


def test_history_and_calibration_are_at_chance_when_copies_have_random_labels(
    tmp_path: pathlib.Path,
) -> None:
    # Five copies of each text with the label of a coin; val has texts of its own.
    rng = np.random.default_rng(5)
    rows, labels = rng.integers(2, 400, [300, 30]).tolist(), rng.integers(0, 2, 300).tolist()
    data, val = (
        LabelledTokens.from_rows(rows[part] * 5, labels[part] * 5)
        for part in (slice(0, 250), slice(250, 300))
    )
    model, history, _ = train_on(data, val, tmp_path)
    assert history['val_binary_accuracy'][0] == pytest.approx(0.5, abs=0.2)
    assert history['val_loss'][0] == pytest.approx(np.log(2), abs=0.05)
    unseen = LabelledTokens.from_rows(rng.integers(2, 400, [300, 30]).tolist(), [0] * 300)
    assert np.abs(logits_of(model, unseen)).max() < 0.5


def test_metrics_are_those_of_the_logits_when_keras_evaluates_the_model(
    data: LabelledTokens, tmp_path: pathlib.Path
) -> None:
    val = make_data(80, seed=2)
    model, history, _ = train_on(data, val, tmp_path, fit_to_val=False)
    assert isinstance(model.loss, keras.losses.BinaryCrossentropy)
    assert model.loss.get_config()['from_logits'] is True
    (metric,) = model.get_compile_config()['metrics']
    assert metric['class_name'] == 'BinaryAccuracy'
    assert metric['config']['threshold'] == 0.0
    expected = loss_and_accuracy(logits_of(model, val), val)
    assert model.evaluate(val.padded(40), val.labels, verbose=0) == pytest.approx(
        expected, rel=1e-4
    )
    found = [history['val_loss'][0], history['val_binary_accuracy'][0]]
    assert found == pytest.approx(expected, rel=1e-4)


def test_only_the_calibration_depends_on_the_seed(data: LabelledTokens, model: NGramModel) -> None:
    other, *_ = adapt(data, seed=2)
    assert other.trainable_weights == []
    assert {variable.name for variable in other.weights} == {'terms', 'bias'}
    np.testing.assert_array_equal(model.terms.numpy()[:, 1], other.terms.numpy()[:, 1])
    assert (model.terms.numpy()[:, 0] != other.terms.numpy()[:, 0]).any()


def test_ngrams_are_selected_by_the_settings_when_they_change() -> None:
    data = LabelledTokens.from_rows([[2, 3, 4], [2, 3, 4], [5], [5, 6]], [1, 1, 0, 0])

    def ngrams(**settings: Any) -> int:
        return int(adapt(data, **settings)[0].terms.shape[0])

    # 2, 3, 4, 5; with their pairs 2 3 and 3 4; with 2 3 4. In one text: 6, 5 6.
    assert [ngrams(max_ngram=length) for length in (1, 2, 3)] == [4, 6, 7]
    assert ngrams(min_ngram_documents=1) == 9
    assert ngrams(min_ngram_documents=3) == 1  # a placeholder entry
