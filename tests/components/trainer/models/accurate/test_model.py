from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.settings import TextSettings
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models.accurate.model import (
    Network,
    balance,
    batches,
    ends,
    mean_of,
    missing_shift,
    train,
)
from components.trainer.models.accurate.settings import AccurateSettings
from components.trainer.models.ngram.model import NGramModel
from tests.components.trainer.models.ngram.test_model import logits_of, loss_and_accuracy
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import loaded

TEXT = TextSettings(vocab_size=40, max_tokens=1_000)
SMALL = {
    'epochs': 4,
    'batch_size': 16,
    'learning_rate': 0.02,
    'embedding_dim': 8,
    'filters': 12,
    'dropout': 0.1,
}


def make_data(texts: int, seed: int) -> LabelledTokens:
    """Make texts whose label depends on which of two words comes first, not on any n-gram."""
    rng = np.random.default_rng(seed)
    rows: list[list[int]] = []
    labels: list[float] = []
    for _ in range(texts):
        label = int(rng.random() < 0.5)
        # The words are far apart; only their neighbours show which one comes first.
        first, second = (2, 3) if label else (3, 2)
        start, end = rng.integers(4, 12, 6).tolist(), rng.integers(4, 12, 6).tolist()
        rows.append([20, first, 21, *start, *end, 22, second, 23])
        labels.append(label)
    return LabelledTokens.from_rows(rows, labels)


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, LabelledTokens]:
    """Return a model and the data to test it on."""
    keras.utils.set_random_seed(3)
    settings = trainer_settings('accurate', **SMALL, max_ngram=1)
    data = loaded(make_data(400, seed=1), make_data(80, seed=2), make_data(200, seed=9))
    job = TrainingJob(data, settings, TEXT, str(tmp_path_factory.mktemp('logs')))
    return train(job), make_data(300, seed=4)


def test_word_order_is_learned_when_single_words_are_uninformative(
    trained: tuple[TrainedModel, LabelledTokens],
) -> None:
    (model, history, _), test = trained
    _, accuracy = loss_and_accuracy(logits_of(model, test), test)
    _, of_words = loss_and_accuracy(model.ngrams(test.ragged()).numpy(), test)
    assert of_words < 0.65
    assert accuracy > 0.95
    assert len(history['val_loss']) == SMALL['epochs']


def test_logits_agree_when_rows_are_padded_alone_or_in_a_batch(
    trained: tuple[TrainedModel, LabelledTokens],
) -> None:
    (model, *_), test = trained
    tokens = test.ragged()[:16]
    ragged = model(tokens, training=False).numpy()
    np.testing.assert_allclose(model(tokens.to_tensor(0)).numpy(), ragged, atol=1e-5)
    alone = np.concatenate([model(tokens[i : i + 1]).numpy() for i in range(16)])
    np.testing.assert_allclose(alone, ragged, atol=1e-5)


def test_model_adds_the_mean_of_its_networks_when_there_are_several(
    trained: tuple[TrainedModel, LabelledTokens],
) -> None:
    (model, *_), test = trained
    tokens = test.ragged()[:20]
    parts = [network(tokens.to_tensor(0)).numpy() for network in model.networks]
    assert len(parts) == 2
    assert np.abs(parts[0] - parts[1]).max() > 0.01
    expected = model.ngrams(tokens).numpy() + np.mean(parts, axis=0)
    np.testing.assert_allclose(model(tokens).numpy(), expected, atol=1e-5)


def test_each_network_is_accurate_alone_when_there_are_several(
    trained: tuple[TrainedModel, LabelledTokens],
) -> None:
    (model, history, _), test = trained
    assert len(model.networks) == 2
    tokens = test.ragged().to_tensor(0)
    for network in model.networks:
        _, accuracy = loss_and_accuracy(network(tokens).numpy(), test)
        assert accuracy > 0.9
    assert history['val_binary_accuracy'][-1] > 0.9


def test_out_of_fold_logits_of_val_have_the_networks_when_the_ngrams_learn_from_val(
    tmp_path: pathlib.Path,
) -> None:
    train_split, val = make_data(100, seed=1), make_data(60, seed=2)
    settings = trainer_settings('accurate', **SMALL | {'epochs': 1}, max_ngram=1)
    job = TrainingJob(loaded(train_split, val), settings, TEXT, str(tmp_path))
    model, _, out_of_fold = train(job)
    labels, logits = out_of_fold['val']
    np.testing.assert_array_equal(labels, val.labels)
    of_networks = mean_of(model.networks, ends(val.ragged())).numpy()
    of_ngrams = NGramModel(settings.model, settings.seed).adapt(train_split, val).val
    np.testing.assert_allclose(logits, of_ngrams + of_networks, atol=1e-5)
    assert not np.allclose(of_ngrams, model.ngrams(val.ragged()).numpy(), atol=1e-3)
    np.testing.assert_array_equal(out_of_fold['train'][0], train_split.labels)


def test_mean_probability_is_the_share_of_positives_when_networks_are_balanced() -> None:
    data = make_data(200, seed=6)
    vectors = np.random.default_rng(6).normal(size=[40, 8]).astype(np.float32)
    settings = AccurateSettings.model_validate(SMALL)
    networks = [Network(settings, vectors) for _ in range(2)]
    for network in networks:
        network.build((None, None))
    logits = np.random.default_rng(7).normal(1.0, size=[200, 1]).astype(np.float32)
    balance(networks, data, logits)
    sums = logits + mean_of(networks, ends(data.ragged())).numpy()
    assert tf.sigmoid(sums).numpy().mean() == pytest.approx(data.labels.mean(), abs=1e-4)


def test_middle_is_skipped_when_a_text_is_longer_than_the_limit() -> None:
    tokens = tf.ragged.constant([list(range(1, 1_001)), [5, 6], []], dtype=tf.int32)
    read = ends(tokens).to_list()
    assert read == [[*range(1, 101), *range(701, 1_001)], [5, 6], []]


def test_each_example_occurs_once_per_epoch_when_examples_are_shuffled() -> None:
    data = make_data(50, seed=6)
    data = data._replace(labels=np.arange(50, dtype=np.float32)[:, np.newaxis])
    settings = AccurateSettings.model_validate({**SMALL, 'networks': 2})
    epochs = batches(data, -data.labels, settings, shuffle_seed=1)
    first, second = (
        [(labels.numpy(), offsets.numpy()) for (_, offsets), labels in epochs] for _ in range(2)
    )
    for epoch in (first, second):
        labels = np.concatenate([labels for labels, _ in epoch])
        assert labels.shape == (50, 2)
        assert sorted(labels[:, 0]) == sorted(labels[:, 1]) == list(range(50))
        np.testing.assert_array_equal(np.concatenate([o for _, o in epoch])[:, 0], -labels[:, 0])
    orders = [np.concatenate([labels for labels, _ in e])[:, 0].tolist() for e in (first, second)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize('shift', [-5.0, -0.3, 0.0, 4.0])
def test_shift_is_found_when_labels_are_drawn_by_shifted_logits(shift: float) -> None:
    rng = np.random.default_rng(10)
    logits = rng.normal(scale=2, size=50_000).astype(np.float32)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-(logits + shift)))).astype(np.float32)
    found = missing_shift(logits, labels)
    assert found == pytest.approx(shift, abs=0.1)
    assert np.mean(1 / (1 + np.exp(-(logits + found)))) == pytest.approx(labels.mean(), abs=1e-6)


@pytest.mark.parametrize('size', [30.0, 1e4])
def test_shift_is_finite_when_logits_are_certain(size: float) -> None:
    logits = np.array([-size] * 60 + [size] * 40, np.float32)
    labels = np.repeat(np.array([0, 1], np.float32), 50)
    assert np.isfinite(missing_shift(logits, labels))


@pytest.mark.parametrize('label', [0, 1])
def test_shift_is_finite_when_all_labels_are_one(label: int) -> None:
    logits = np.random.default_rng(11).normal(size=100).astype(np.float32)
    expected = 1 / (1 + np.exp(-(logits + missing_shift(logits, np.full(100, label, np.float32)))))
    assert expected.sum() == pytest.approx(99.5 if label else 0.5, abs=0.01)
