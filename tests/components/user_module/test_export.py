"""The SavedModel of a user's `run_fn` gets the output `probability`, or is refused."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from components.common.errors import ComponentError
from components.user_module.export import complete_export, require_one_score_each
from components.user_module.settings import Output
from tests.conftest import snapshot

Function = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def save(folder: pathlib.Path, function: Function, name: str = 'examples', **more: Any) -> str:
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(['a'], [2.0]), default_value=0.0
    )
    module.weight = tf.Variable(1.0)

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = function(examples)
        return {key: value + module.weight * 0 for key, value in found.items()}

    spec = tf.TensorSpec([None], tf.string, name=name)
    traced = tf.function(serve, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures={'serving_default': traced, **more})
    return str(folder)


def lengths(examples: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(examples), tf.float32)


def score(folder: str, *examples: bytes) -> dict[str, Any]:
    signature = tf.saved_model.load(folder).signatures['serving_default']
    outputs = signature(examples=tf.constant(list(examples)))
    return {name: value.numpy().tolist() for name, value in outputs.items()}


def write_examples(folder: pathlib.Path, *examples: bytes) -> list[str]:
    path = str(folder / 'examples.gz')
    with tf.io.TFRecordWriter(path, 'GZIP') as writer:
        for example in examples:
            writer.write(example)
    return [path]


def test_probability_is_added_when_the_output_is_a_logit(tmp_path: pathlib.Path) -> None:
    folder = save(
        tmp_path / 'model',
        lambda examples: {'output_0': lengths(examples)[:, tf.newaxis]},
        name='inputs',
    )
    (tmp_path / 'model' / 'assets.extra').mkdir()
    (tmp_path / 'model' / 'assets.extra' / 'note.txt').write_text('of the user')
    complete_export(folder, 'logit')
    found = score(folder, b'', b'abc')
    assert found['output_0'] == [[0.0], [3.0]]
    assert found['probability'] == pytest.approx([0.5, 1 / (1 + math.exp(-3))])
    assert (tmp_path / 'model' / 'assets.extra' / 'note.txt').read_text() == 'of the user'
    assert [path.name for path in tmp_path.iterdir()] == ['model']


def test_other_signatures_stay_when_one_is_completed(tmp_path: pathlib.Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='text')])
    def other(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {'length': tf.strings.length(text)}

    folder = save(
        tmp_path / 'model',
        lambda examples: {'logits': lengths(examples), 'class': lengths(examples)},
        other=other,
    )
    complete_export(folder, 'logit')
    signatures = tf.saved_model.load(folder).signatures
    assert signatures['other'](text=tf.constant(['abc']))['length'].numpy().tolist() == [3]
    assert set(score(folder, b'')) == {'logits', 'class', 'probability'}


def test_model_is_left_as_it_is_when_it_has_a_probability(tmp_path: pathlib.Path) -> None:
    folder = save(tmp_path / 'model', lambda examples: {'probability': lengths(examples) / 10})
    before = snapshot(tmp_path)
    complete_export(folder, 'probability')
    assert snapshot(tmp_path) == before
    require_one_score_each(folder, write_examples(tmp_path, b'', b'abc'), 'probability')


@pytest.mark.parametrize(
    ('function', 'output', 'message'),
    [
        (lambda e: {'a': lengths(e), 'b': lengths(e)}, 'logit', 'called logit or logits, got a, b'),
        (lambda e: {'probability': lengths(e)}, 'logit', 'output is logit, but .* probability$'),
        (lambda e: {'p': lengths(e)}, 'probability', 'returns 3, but a probability is in'),
        (lambda e: {'p': lengths(e) * math.nan}, 'logit', 'no finite number for 2 of 2 examples'),
        (lambda e: {'p': tf.stack([lengths(e)] * 2, 1)}, 'logit', 'each of 2 examples, got 4'),
        (lambda e: {'p': tf.reduce_sum(lengths(e))}, 'logit', 'each of 2 examples, got 1$'),
    ],
)
def test_model_is_refused_when_its_scores_are_not_clear(
    tmp_path: pathlib.Path, function: Function, output: Output, message: str
) -> None:
    folder = save(tmp_path / 'model', function)
    files = write_examples(tmp_path, b'', b'abc')
    with pytest.raises(ComponentError, match=message) as caught:  # noqa: PT012
        complete_export(folder, output)
        require_one_score_each(folder, files, output)
    assert caught.value.hint


@pytest.mark.parametrize('signature', ['serving_default', 'serve'])
def test_model_is_refused_when_it_takes_no_examples(tmp_path: pathlib.Path, signature: str) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name='x')])
    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {'y': x}

    folder = str(tmp_path / 'model')
    tf.saved_model.save(tf.Module(), folder, signatures={signature: serve})
    with pytest.raises(ComponentError, match='expected .*serving_default.*, got (x: float|serve)'):
        complete_export(folder, 'logit')
    with pytest.raises(ComponentError, match='no SavedModel can be loaded'):
        complete_export(str(tmp_path / 'nothing'), 'logit')
