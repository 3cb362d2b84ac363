"""Scores and explanations of each kind of model, through the exported signatures."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common import features
from components.common.settings import TextSettings
from components.trainer.serving import ServingModel, TransformGraph, export
from tests.components.trainer.tiny import (
    LABELS,
    Tiny,
    load_transform,
    make_reviews,
    train_stored,
    write_split,
    write_summary,
    write_transform_graph,
)

TEXTS = [
    '',
    '?!',
    '   <br />',
    'good',
    'Neverseen, unheardof WORDS',
    'good good good bad good good',
    'GOOD, <br />great... best! bad-dull awful',
    "isn't good? no: it's dull",
    'ÜBER 最高 😀 good',
    'good😍😍 :-) ❤️★★★☆☆ 👨‍👩‍👧🇩🇪 great:D @user http://x.y',
    'good ' * 90 + 'bad awful ' * 10 + 'neverseen ' + 'great word1 dull ' * 200,
    *(text for text, _ in make_reviews(20, seed=9)),
]
SETTINGS = {
    'tutorial': TextSettings(vocab_size=40, max_tokens=40),
    'ngram': TextSettings(vocab_size=100, max_tokens=1_000, punctuation='split'),
}
SETTINGS['vectors'] = SETTINGS['ngram']
SMALL: dict[str, dict[str, Any]] = {
    'tutorial': {'epochs': 6, 'batch_size': 8, 'learning_rate': 0.02, 'embedding_dim': 8},
    'ngram': {},
    'vectors': {'dimensions': 8},
}


class Explained(NamedTuple):
    """The explanation of one text."""

    ngrams: list[str]
    contributions: np.ndarray
    bias: float

    def of(self, ngram: str) -> float:
        return float(self.contributions[self.ngrams.index(ngram)])


class Served:
    """An exported model and the Keras model that it was exported from."""

    def __init__(self, folder: pathlib.Path, model: keras.Model, transform: TransformGraph) -> None:
        self._model = tf.saved_model.load(str(folder))
        self._keras_model = model
        self._transform = transform

    def explain(self, texts: list[str]) -> list[Explained]:
        answer = self._model.signatures['explain_text'](text=tf.constant(texts, tf.string))
        rows = answer['rows'].numpy()
        assert (np.diff(rows) >= 0).all()
        ngrams = np.array([ngram.decode() for ngram in answer['ngrams'].numpy()])
        values, bias = answer['contributions'].numpy(), answer['bias'].numpy()
        assert len(bias) == len(texts)
        return [
            Explained(ngrams[rows == row].tolist(), values[rows == row], float(bias[row]))
            for row in range(len(texts))
        ]

    def score(self, texts: list[str]) -> np.ndarray:
        answer = self._model.signatures['serving_text'](text=tf.constant(texts, tf.string))
        found: np.ndarray = answer['probability'].numpy()
        return found

    def logits(self, texts: list[str]) -> np.ndarray:
        found: np.ndarray = self._keras_model(self._transform(tf.constant(texts))).numpy()[:, 0]
        return found


@pytest.fixture(scope='module')
def serve(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Return a trained and exported model."""
    made: dict[str, Served] = {}

    def make(name: str) -> Served:
        if name not in made:
            made[name] = train_and_export(name, tiny.examples, tmp_path_factory.mktemp(name))
        return made[name]

    return make


def train_and_export(name: str, examples: pathlib.Path, folder: pathlib.Path) -> Served:
    text, graph = SETTINGS[name], folder / 'transform_graph'
    write_transform_graph(examples, text, graph)
    architecture = 'ngram' if name == 'vectors' else name
    model = train_stored(architecture, examples, graph, folder / 'logs', text, **SMALL[name]).model
    transform = load_transform(graph)
    export(ServingModel(model, transform, text), LABELS, str(folder / 'exported'))
    return Served(folder / 'exported', model, transform)


@pytest.fixture(params=SETTINGS)
def served(request: pytest.FixtureRequest, serve: Callable[[str], Served]) -> Served:
    return serve(request.param)


def test_probabilities_equal_those_of_the_keras_model_when_it_is_exported(served: Served) -> None:
    expected = tf.sigmoid(served.logits(TEXTS)).numpy()
    assert served.score(TEXTS).tolist() == pytest.approx(expected, abs=1e-5)
    assert [served.score([text])[0] for text in TEXTS] == pytest.approx(expected, abs=1e-5)
    assert served.score([]).tolist() == []


def test_contributions_and_the_logit_of_an_empty_text_add_up_to_the_logit(served: Served) -> None:
    logits, explained = served.logits(TEXTS), served.explain(TEXTS)
    sums = [float(text.contributions.sum()) + text.bias for text in explained]
    np.testing.assert_allclose(sums, logits, atol=1e-4)
    assert np.ptp(logits) > 1
    (of_nothing,) = served.logits([''])
    np.testing.assert_allclose([text.bias for text in explained], of_nothing, atol=1e-5)
    assert explained[0].ngrams == explained[2].ngrams == []


def test_ngrams_are_distinct_sorted_and_the_same_when_texts_are_sent_alone_or_in_a_batch(
    served: Served,
) -> None:
    assert served.explain([]) == []
    for text, together in zip(TEXTS, served.explain(TEXTS)):
        assert len(set(together.ngrams)) == len(together.ngrams)
        assert (np.diff(np.abs(together.contributions)) <= 0).all()
        (alone,) = served.explain([text])
        assert dict(zip(alone.ngrams, alone.contributions.tolist())) == pytest.approx(
            dict(zip(together.ngrams, together.contributions.tolist())), abs=1e-5
        )


def test_ngrams_consist_of_words_of_the_text(served: Served) -> None:
    texts = ['Good GOOD great, superb best!', 'bad 最高 dull awful']
    words = [
        {'good', 'great', 'superb', 'best', ',', '!'},
        {'bad', '最', '高', '最高', 'dull', 'awful'},
    ]
    for explained, own in zip(served.explain(texts), words):
        assert explained.ngrams
        assert {word for ngram in explained.ngrams for word in ngram.split()} <= own


def test_contributions_have_the_sign_of_the_label_when_words_indicate_it(served: Served) -> None:
    good, bad = served.explain(['a great word1 film', 'an awful word1 film'])
    assert good.of('great') > 0.1
    assert bad.of('awful') < -0.1
    assert good.ngrams[0] == 'great'
    assert bad.ngrams[0] == 'awful'


def test_contribution_is_the_change_of_the_logit_when_the_model_is_a_mean(
    serve: Callable[[str], Served],
) -> None:
    tutorial = serve('tutorial')
    before, after = tutorial.logits(['bad dull', 'bad dull superb superb'])
    (explained,) = tutorial.explain(['bad dull superb superb'])
    assert explained.of('superb') == pytest.approx(after - before, abs=1e-5)
    (cut,) = tutorial.explain(['bad ' * 40 + 'superb'])
    assert cut.ngrams == ['bad']


def test_unknown_words_are_listed_when_the_model_reads_them(
    serve: Callable[[str], Served],
) -> None:
    (explained,) = serve('tutorial').explain(['Neverseen unheardof'])
    assert any('neverseen' in ngram for ngram in explained.ngrams)
    (explained,) = serve('ngram').explain(['Neverseen unheardof'])
    assert explained.ngrams == []


def test_contributions_change_when_the_model_has_vectors(serve: Callable[[str], Served]) -> None:
    (plain,), (corrected,) = (
        serve(name).explain(['great good bad']) for name in ('ngram', 'vectors')
    )
    assert set(plain.ngrams) == set(corrected.ngrams)
    assert abs(plain.of('great') - corrected.of('great')) > 0.01


def test_signature_matches_the_contract_when_the_model_is_loaded(served: Served) -> None:
    signature: Any = served._model.signatures[features.EXPLAIN_SIGNATURE]
    (text,) = signature.structured_input_signature[1].values()
    assert (text.name, text.dtype, text.shape.as_list()) == ('text', tf.string, [None])
    outputs = signature.structured_outputs
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in outputs.items()} == {
        'ngrams': (tf.string, [None]),
        'contributions': (tf.float32, [None]),
        'rows': (tf.int64, [None]),
        'bias': (tf.float32, [None]),
    }


def test_symbols_count_and_are_named_when_they_touch_words_or_each_other(
    tmp_path: pathlib.Path,
) -> None:
    signs = (['😡', '☹️', ':(', '★☆☆☆☆', '👎🏽', '</3'], ['😍', '❤️', ':-)', '★★★★★', '👍🏿', '<3'])
    # The sign is all that tells the labels apart, and it always touches a word.
    counts = {features.TRAIN_SPLIT: 240, features.VAL_SPLIT: 40}
    for split, count in counts.items():
        reviews = [
            (f'word{i % 7} word{i % 11} film{signs[i % 2][i // 2 % 6]}', i % 2)
            for i in range(count)
        ]
        write_split(tmp_path / 'examples' / f'Split-{split}', [reviews])
    write_summary(tmp_path / 'examples', {name: (n // 2, n // 2) for name, n in counts.items()})
    served = train_and_export('ngram', tmp_path / 'examples', tmp_path)
    texts = [f'other{sign}{sign} thing{sign}' for of_label in signs for sign in of_label]
    probabilities = served.score(texts)
    assert (probabilities[:6] < 0.2).all()
    assert (probabilities[6:] > 0.8).all()
    assert [served.score([text])[0] for text in texts] == pytest.approx(probabilities, abs=1e-6)
    named = [explained.ngrams[0] for explained in served.explain(texts)]
    assert named == ['😡', '☹', ':(', '★☆☆☆☆', '👎', '</3', '😍', '❤', ':-)', '★★★★★', '👍', '<3']
