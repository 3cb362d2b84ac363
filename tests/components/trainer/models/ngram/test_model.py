from __future__ import annotations

import dataclasses
import pathlib
import shutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common import features
from components.trainer.dataset import LabelledTokens, read_split
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models.ngram.model import train
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import NEUTRAL, TEXT, Tiny, export_model, loaded, make_example

TEXTS = [
    '',
    'great superb word1',
    'dull awful, word2!',
    'great great great',
    'unheard-of words ünïcödé 好',
    '<br />',
    'good bad ' * 10_000,
]
UNSEEN = 29
METRICS = ['binary_accuracy', 'loss', 'val_binary_accuracy', 'val_loss']


def make_data(texts: int, seed: int, wrong: float = 0.1) -> LabelledTokens:
    rng = np.random.default_rng(seed)
    labels = rng.random(texts) < 0.5
    telling = labels ^ (rng.random(texts) < wrong)
    rows = [[2 + int(tells), *rng.integers(1, 20, 6).tolist()] for tells in telling]
    return LabelledTokens.from_rows(rows, labels.astype(int).tolist())


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


def loss_and_accuracy(logits: np.ndarray, data: LabelledTokens) -> list[float]:
    losses = np.logaddexp(0, logits) - data.labels * logits
    return [float(losses.mean()), float(((logits > 0) == (data.labels > 0)).mean())]


def probabilities(serving: Any, texts: list[str]) -> list[float]:
    answer = serving.signatures[features.TEXT_SIGNATURE](text=tf.constant(texts, tf.string))
    values: list[float] = answer[features.PROBABILITY_KEY].numpy().tolist()
    return values


def export_and_load(model: keras.Model, tiny: Tiny, folder: pathlib.Path) -> Any:
    """Export, delete the inputs, move the exported folder, and load it."""
    shutil.copytree(tiny.transform_graph, folder / 'graph')
    copy = dataclasses.replace(tiny, transform_graph=folder / 'graph')
    export_model(model, copy, folder / 'exported')
    shutil.rmtree(folder / 'graph')
    (folder / 'exported').rename(folder / 'moved')
    return tf.saved_model.load(str(folder / 'moved'))


@pytest.fixture(scope='module')
def splits(tiny: Tiny) -> tuple[LabelledTokens, LabelledTokens, LabelledTokens]:
    transform = tiny.load_transform()
    train, val, test = (read_split(tiny.pattern(split), transform) for split in features.SPLITS)
    return train, val, test


def test_probabilities_are_unchanged_when_the_model_is_exported_and_loaded(
    tiny: Tiny,
    splits: tuple[LabelledTokens, LabelledTokens, LabelledTokens],
    tmp_path: pathlib.Path,
) -> None:
    data, val, test = splits
    model = train_on(data, val, tmp_path / 'logs').model
    assert loss_and_accuracy(logits_of(model, test), test)[1] > 0.7  # a fifth of labels is wrong
    graph = tiny.load_transform()
    texts = TEXTS + [text for text, _ in tiny.reviews['test']]
    expected = tf.sigmoid(model(graph(tf.constant(texts)))[:, 0]).numpy()
    loaded = export_and_load(model, tiny, tmp_path)
    assert probabilities(loaded, texts) == pytest.approx(expected, abs=1e-5)
    assert [probabilities(loaded, [t])[0] for t in TEXTS] == pytest.approx(
        expected[: len(TEXTS)], abs=1e-5
    )
    examples = tf.constant([make_example(text, 0) for text in texts])
    answer = loaded.signatures[features.EXAMPLES_SIGNATURE](examples=examples)
    assert answer[features.PROBABILITY_KEY].numpy() == pytest.approx(expected, abs=1e-5)
    assert probabilities(loaded, []) == []
    # A text without a known word gets the bias.
    bias = float(tf.sigmoid(model.ngrams.bias))
    assert [expected[TEXTS.index(text)] for text in ('', '<br />')] == pytest.approx([bias] * 2)
    assert expected[1] > 0.5 > expected[2]


def test_model_trains_and_exports_when_no_ngram_is_in_two_texts(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    data = LabelledTokens.from_rows([[2, 3], [4], [5, 6], []], [1, 1, 1, 0])
    model, history = train_on(
        data, LabelledTokens.from_rows([[7]], [1]), tmp_path / 'logs', fit_to_val=False
    )
    assert np.isfinite(list(history.values())).all()
    loaded = export_and_load(model, tiny, tmp_path)
    found = probabilities(loaded, [*TEXTS[:3], ' '.join(NEUTRAL)])
    assert found == pytest.approx([float(tf.sigmoid(model.ngrams.bias))] * 4)
    assert found[0] > 0.5


def test_model_trains_when_one_text_is_positive(tmp_path: pathlib.Path) -> None:
    data = LabelledTokens.from_rows([[2, 3], [2, 4], [3, 4], [5, 2], [6, 6]], [0, 0, 0, 0, 1])
    model, history = train_on(data, LabelledTokens.from_rows([[2]], [0]), tmp_path)
    assert np.isfinite(list(history.values())).all()
    assert np.isfinite(logits_of(model, data)).all()


@pytest.mark.parametrize('fit_to_val', [True, False])
def test_model_is_fitted_to_val_when_the_settings_ask_for_it(
    fit_to_val: bool, tmp_path: pathlib.Path
) -> None:
    # The word UNSEEN occurs only in positive texts of val.
    data = make_data(200, seed=1)
    val = LabelledTokens.from_rows([[UNSEEN, 10 + number % 5] for number in range(20)], [1] * 20)
    model = train_on(data, val, tmp_path, fit_to_val=fit_to_val).model
    logit = logits_of(model, LabelledTokens.from_rows([[UNSEEN]], [1]))[0, 0]
    if fit_to_val:
        assert logit > float(model.ngrams.bias) + 0.5
    else:
        assert logit == float(model.ngrams.bias)


def test_val_metrics_are_those_of_the_final_model_when_it_is_not_fitted_to_val(
    tmp_path: pathlib.Path,
) -> None:
    data, val = make_data(200, seed=1), make_data(80, seed=2)
    model, history = train_on(data, val, tmp_path, fit_to_val=False)
    expected = loss_and_accuracy(logits_of(model, val), val)
    assert [history['val_loss'][0], history['val_binary_accuracy'][0]] == pytest.approx(
        expected, rel=1e-4
    )


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
    model, history = train_on(data, val, tmp_path, fit_to_val=fit_to_val)
    assert sorted(history) == METRICS
    assert [len(values) for values in history.values()] == [1] * 4
    assert list(tmp_path.glob('train/events*'))
    assert list(tmp_path.glob('validation/events*'))
    # The scores are as good as chance, and no more confident.
    assert history['binary_accuracy'][0] < 0.6
    assert history['val_binary_accuracy'][0] < 0.62
    assert history['loss'][0] == pytest.approx(np.log(2), abs=0.02)
    # The model itself memorised the labels, though calibration may have shifted the zero.
    memorised = logits_of(model, data)[:, 0] - float(model.ngrams.bias)
    positive = data.labels[:, 0] > 0
    auc = np.mean(memorised[positive][:, np.newaxis] > memorised[~positive])
    assert max(auc, 1 - auc) > 0.95


def test_model_is_compiled_for_logits_when_it_is_trained(tmp_path: pathlib.Path) -> None:
    data, val = make_data(100, seed=1), make_data(50, seed=2)
    model = train_on(data, val, tmp_path).model
    assert isinstance(model.loss, keras.losses.BinaryCrossentropy)
    assert model.loss.get_config()['from_logits'] is True
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    (metric,) = model.get_compile_config()['metrics']
    assert metric['class_name'] == 'BinaryAccuracy'
    assert metric['config']['threshold'] == 0.0
    found = model.evaluate(val.padded(8), val.labels, verbose=0)
    assert found == pytest.approx(loss_and_accuracy(logits_of(model, val), val), rel=1e-4)


@pytest.mark.parametrize('fit_to_val', [True, False])
def test_weights_and_history_are_equal_when_training_is_repeated(
    fit_to_val: bool, tmp_path: pathlib.Path
) -> None:
    data, val = make_data(200, seed=1), make_data(50, seed=2)
    first, second = (
        train_on(data, val, tmp_path / str(run), seed=5, fit_to_val=fit_to_val) for run in range(2)
    )
    assert first.history == second.history
    weights = first.model.get_weights()
    assert len(weights) == 2
    for one, two in zip(weights, second.model.get_weights()):
        np.testing.assert_array_equal(one, two)


def test_ngrams_are_selected_by_the_settings_when_they_change(tmp_path: pathlib.Path) -> None:
    data = LabelledTokens.from_rows([[2, 3, 4], [2, 3, 4], [5], [5, 6]], [1, 1, 0, 0])

    def ngrams(**settings: Any) -> int:
        model = train_on(
            data, LabelledTokens.from_rows([[7]], [1]), tmp_path, fit_to_val=False, **settings
        ).model
        return int(model.ngrams.terms.shape[0])

    # 2, 3, 4, 5; with their pairs 2 3 and 3 4; with 2 3 4. In one text: 6, 5 6.
    assert [ngrams(max_ngram=length) for length in (1, 2, 3)] == [4, 6, 7]
    assert ngrams(min_ngram_documents=1) == 9
    assert ngrams(min_ngram_documents=3) == 1  # a placeholder entry
