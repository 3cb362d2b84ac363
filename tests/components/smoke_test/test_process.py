"""Tests of each check with a real model that fails it."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import keras
import pytest
import tensorflow as tf

from components.smoke_test.process import CheckFailed, check
from components.smoke_test.run import KnownScore, make_request
from tests.components.smoke_test import models
from tests.components.trainer.tiny import Exported


def test_check_passes_when_the_model_is_sound(tmp_path: pathlib.Path) -> None:
    model = models.save(tmp_path / 'model')
    texts = ['A review.', 'Another review, as long as it gets.']
    scores = models.probability(tf.constant(texts)).numpy().tolist()
    known = [KnownScore(*pair) for pair in zip(texts, scores)]
    check(tf, make_request(str(model), texts=texts, known=known))


def test_check_passes_when_the_trainer_exported_the_model(exported: Exported) -> None:
    texts = ['a good and superb film', 'dull', 'ÄÖÜ <br /> ' * 1_000]
    known = [KnownScore(*pair) for pair in zip(texts, exported.probabilities(texts))]
    check(tf, make_request(str(exported.serving), texts=texts, known=known))


def test_check_fails_when_a_model_server_finds_no_variables(tmp_path: pathlib.Path) -> None:
    module = tf.Module()
    # Keras saves a copy of each variable of a model that a module tracks.
    module.model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])

    def logit(text: tf.Tensor) -> tf.Tensor:
        return module.model(models.logits(text)[:, tf.newaxis])[:, 0]

    def score(text: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(logit(text))

    folder = models.save(
        tmp_path / 'model', by_text=score, by_example=score, explained=logit, module=module
    )
    check(tf, make_request(str(folder), must_explain=False))
    with pytest.raises(CheckFailed) as caught:
        check(tf, make_request(str(folder)))
    assert caught.value.check == 'a model server can load it'
    assert 'Could not find variable' in caught.value.got


BROKEN: dict[str, tuple[dict[str, Any], str, str, str]] = {
    'logits': (
        {'by_text': models.logits, 'by_example': models.logits},
        'serving_text',
        r'a probability in \[0, 1\]',
        r'-?\d\.0 for "',
    ),
    'nan': (
        {'by_text': lambda text: models.logits(text) * float('nan')},
        'serving_text',
        r'a probability in \[0, 1\]',
        'nan for ""',
    ),
    'nan_of_examples': (
        {'by_example': lambda text: models.logits(text) * float('nan')},
        'serving_default',
        r'a probability in \[0, 1\]',
        'nan for ""',
    ),
    'one_number': (
        {'by_text': lambda text: tf.reduce_mean(models.probability(text), keepdims=True)},
        'serving_text',
        r'\d+ numbers for \d+ texts',
        r'shape \[1\]',
    ),
    'a_matrix': (
        {'by_text': lambda text: models.probability(text)[:, tf.newaxis]},
        'the output of serving_text',
        r'probability: float32 \(None,\)',
        r'probability: float32 \(None, 1\)',
    ),
    'another_name': (
        {'output': 'score'},
        'the output of serving_default',
        r'probability: float32 \(None,\)',
        r'score: float32 \(None,\)',
    ),
    'other_than_examples': (
        {'by_example': lambda text: 1 - models.probability(text)},
        'serving_text and serving_default agree',
        r'0\.\d+, within 1e-06',
        r'0\.\d+ for "',
    ),
    'of_the_batch': (
        {'by_text': models.depend_on_batch, 'by_example': models.depend_on_batch},
        'serving_text, alone and in a batch',
        r'within 1e-05',
        'for "',
    ),
    'does_not_add_up': (
        {'explained': lambda text: models.logits(text) * 2},
        'explain_text adds up',
        'within 0.0001',
        'for "',
    ),
    'no_text_signature': ({'without': 'serving_text'}, 'its signatures', "'serving_text'", 'expl'),
    'no_examples': ({'without': 'serving_default'}, 'its signatures', "'serving_default'", 'expl'),
    'no_explanation': ({'without': 'explain_text'}, 'its signatures', "'explain_text'", 'serving'),
    'labels_are_no_json': ({'labels': '["neg", '}, 'assets.extra/labels.json', 'as JSON', 'line 1'),
    'labels_are_equal': (
        {'labels': '["pos", "pos"]'},
        'assets.extra/labels.json',
        'names of two labels',
        'pos',
    ),
}


@pytest.mark.parametrize('how', BROKEN)
def test_check_fails_when_the_model_is_broken(how: str, tmp_path: pathlib.Path) -> None:
    options, what, expected, got = BROKEN[how]
    model = models.save(tmp_path / 'model', **options)
    with pytest.raises(CheckFailed, match=what) as caught:
        check(tf, make_request(str(model)))
    assert caught.value.check.startswith(what)
    assert re.search(expected, caught.value.expected), caught.value.expected
    assert re.search(got, caught.value.got), caught.value.got


def test_check_passes_when_a_model_need_not_explain(tmp_path: pathlib.Path) -> None:
    model = models.save(tmp_path / 'model', without='explain_text')
    check(tf, make_request(str(model), must_explain=False))


def test_check_fails_when_scores_differ_from_those_of_the_evaluator(tmp_path: pathlib.Path) -> None:
    model = models.save(tmp_path / 'model')
    score = float(models.probability(tf.constant(['fine']))[0])
    check(tf, make_request(str(model), known=[KnownScore('fine', score + 9e-6)]))
    with pytest.raises(CheckFailed, match='as the Evaluator measured') as caught:
        check(tf, make_request(str(model), known=[KnownScore('fine', score + 2e-5)]))
    assert caught.value.got == f'{score:.7f} for "fine"'


def truncate(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ('file', 'harm', 'message'),
    [
        ('saved_model.pb', pathlib.Path.unlink, 'it can be loaded'),
        ('saved_model.pb', truncate, 'it can be loaded'),
        ('variables/variables.index', pathlib.Path.unlink, 'it can be loaded'),
        ('variables/variables.index', truncate, 'it can be loaded'),
        ('variables/variables.data-00000-of-00001', pathlib.Path.unlink, 'it can be loaded'),
        ('variables/variables.data-00000-of-00001', truncate, 'it can be loaded'),
        ('assets.extra/labels.json', pathlib.Path.unlink, r'labels\.json'),
    ],
)
def test_check_fails_when_a_file_is_damaged(
    file: str, harm: Any, message: str, tmp_path: pathlib.Path
) -> None:
    model = models.save(tmp_path / 'model')
    harm(model / file)
    with pytest.raises(CheckFailed, match=message) as caught:
        check(tf, make_request(str(model)))
    assert caught.value.got
