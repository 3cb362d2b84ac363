from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.common import features
from tests.components.trainer.tiny import LABELS, Exported, make_example, make_reviews

TEXTS = [
    '',
    '?!',
    'good',
    'GOOD, <br />great... best!',
    'bad dull awful',
    'neverseen before',
    'ÜBER 最高 😀',
    'word1 ' * 5_000 + 'good',
    'a\x00good',
    *(text for text, _ in make_reviews(20, seed=9)),
]

# Prints the probabilities that both signatures return for texts, without this project's code.
SCRIPT = """
import json, sys
import tensorflow as tf
texts = json.load(sys.stdin)
examples = [tf.train.Example(features=tf.train.Features(feature={'text': tf.train.Feature(
    bytes_list=tf.train.BytesList(value=[text.encode()]))})) for text in texts]
signatures = tf.saved_model.load(sys.argv[1]).signatures
outputs = [
    signatures['serving_text'](text=tf.constant(texts)),
    signatures['serving_default'](examples=tf.constant([e.SerializeToString() for e in examples])),
]
assert 'components' not in sys.modules and 'tensorflow_transform' not in sys.modules
print(json.dumps([output['probability'].numpy().tolist() for output in outputs]))
"""


@pytest.fixture(scope='module')
def signatures(exported: Exported) -> Any:
    return tf.saved_model.load(str(exported.serving)).signatures


def by_text(signatures: Any, texts: list[str]) -> tf.Tensor:
    return signatures['serving_text'](text=tf.constant(texts, tf.string))['probability']


def by_example(signatures: Any, texts: list[str]) -> tf.Tensor:
    examples = [make_example(text, 0) for text in texts]
    return signatures['serving_default'](examples=tf.constant(examples, tf.string))['probability']


@pytest.mark.parametrize('score', [by_text, by_example])
def test_probability_equals_that_of_the_keras_model_when_only_the_export_is_left(
    score: Callable[[Any, list[str]], tf.Tensor], signatures: Any, exported: Exported
) -> None:
    expected = exported.probabilities(TEXTS)
    found = score(signatures, TEXTS)
    assert score(signatures, []).shape == [0]
    assert (found.dtype, found.shape) == (tf.float32, [len(TEXTS)])
    assert np.all((found >= 0) & (found <= 1))
    assert len(set(expected)) > 10
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_probability_is_equal_when_a_process_without_this_project_loads_the_model(
    exported: Exported, tmp_path: pathlib.Path
) -> None:
    done = subprocess.run(
        [sys.executable, '-I', '-c', SCRIPT, str(exported.serving)],
        input=json.dumps(TEXTS),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    of_texts, of_examples = json.loads(done.stdout)
    assert of_texts == of_examples
    np.testing.assert_allclose(of_texts, exported.probabilities(TEXTS), rtol=1e-5)


def test_probability_depends_on_the_words_of_the_text(signatures: Any) -> None:
    bad, empty, good = by_text(signatures, ['Bad! ' * 40, '', 'GOOD ' * 40]).numpy()
    assert bad < 0.2 < empty < 0.8 < good


def test_signatures_match_the_contract_when_the_model_is_loaded(signatures: Any) -> None:
    inputs = {
        name: {key: (spec.dtype, spec.shape.as_list()) for key, spec in kwargs.items()}
        for name, signature in signatures.items()
        for kwargs in [signature.structured_input_signature[1]]
    }
    text = (tf.string, [None])
    assert inputs == {
        features.EXAMPLES_SIGNATURE: {features.EXAMPLES_INPUT: text},
        features.TEXT_SIGNATURE: {features.TEXT_INPUT: text},
        features.EXPLAIN_SIGNATURE: {features.TEXT_INPUT: text},
    }
    for name in (features.EXAMPLES_SIGNATURE, features.TEXT_SIGNATURE):
        outputs = signatures[name].structured_outputs
        assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in outputs.items()} == {
            features.PROBABILITY_KEY: (tf.float32, [None])
        }


@pytest.mark.parametrize(
    ('example', 'message'),
    [
        (tf.train.Example(), 'Feature: text .*is required but could not be found'),
        (
            tf.train.Example.FromString(make_example('', 0).replace(b'text', b'txet')),
            'Feature: text .*is required but could not be found',
        ),
        (b'no example', 'Could not parse example input'),
    ],
    ids=['empty', 'other feature', 'other bytes'],
)
def test_scoring_fails_when_an_example_has_no_text(
    example: Any, message: str, signatures: Any
) -> None:
    serialized = example if isinstance(example, bytes) else example.SerializeToString()
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures['serving_default'](examples=tf.constant([make_example('good', 0), serialized]))


def test_folder_has_model_labels_and_vocabulary_when_it_is_exported(exported: Exported) -> None:
    folder = exported.serving
    extra = folder / 'assets.extra' / 'labels.json'
    assert json.loads(extra.read_text(encoding='utf-8')) == list(LABELS)
    assert (folder / 'saved_model.pb').is_file()
    assert [path.name for path in (folder / 'assets').iterdir()] == [features.VOCABULARY_NAME]


def test_scores_are_equal_when_the_model_is_loaded_as_tensorflow_serving_does(
    exported: Exported,
) -> None:
    # The loader of TensorFlow 1 runs the same operations of the file as that in C++.
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ['serve'], str(exported.serving))
        signature = loaded.signature_def['serving_default']
        examples = [make_example(text, 0) for text in TEXTS]
        found = session.run(
            signature.outputs['probability'].name, {signature.inputs['examples'].name: examples}
        )
    assert found.tolist() == pytest.approx(exported.probabilities(TEXTS), abs=1e-6)
