"""The model of a user's `build_model` is trained and exported as its inputs and its loss say."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.common.decision_threshold import read_decision_threshold
from components.common.errors import ComponentError, ConfigError, ReviewsError
from components.trainer.settings import TrainerSettings
from components.trainer.threshold import parse_tuned_threshold
from components.user_module.source import find_module
from components.user_module.train import fit_user_model
from tests.components.trainer.tiny import LABELS, TEXT, Tiny, make_example
from tests.components.user_module.conftest import Write

HEAD = 'import keras\nfrom keras import layers\ndef build_model(hparams):\n'
BAG = (
    '    x = layers.GlobalAveragePooling1D()(layers.Embedding(hparams["vocab_size"], 8)(tokens))\n'
)


def fit(tiny: Tiny, module: pathlib.Path, folder: pathlib.Path, **settings: Any) -> None:
    decision = {'threshold': settings.pop('threshold', 0.5)}
    model = {'architecture': 'module', 'epochs': 2, **settings}
    trainer = TrainerSettings.model_validate({'model': model, **decision})
    fit_user_model(
        FnArgs(
            train_files=[tiny.pattern('train')],
            eval_files=[tiny.pattern('val')],
            transform_graph_path=str(tiny.transform_graph),
            serving_model_dir=str(folder / 'serving'),
            model_run_dir=str(folder / 'run'),
            custom_config={
                'trainer': trainer.model_dump(),
                'text': TEXT.model_dump(),
                'module': find_module(str(module)).reference(local=True),
            },
        )
    )


def score(folder: pathlib.Path, signature: str, **inputs: Any) -> list[float]:
    model = tf.saved_model.load(str(folder / 'serving'))
    found: list[float] = model.signatures[signature](**inputs)['probability'].numpy().tolist()
    return found


def test_model_of_text_and_tokens_learns_and_serves_texts(
    tiny: Tiny, write: Write, tmp_path: pathlib.Path
) -> None:
    module = write(
        'user_both.py',
        HEAD + '    tokens = keras.Input([hparams["max_tokens"]], dtype="int32", name="tokens")\n'
        '    text = keras.Input([1], dtype="string", name="text")\n'
        + BAG
        + '    hashed = layers.Hashing(50, output_mode="one_hot")(text)\n'
        '    y = layers.Dense(1)(layers.Concatenate()([x, hashed]))\n'
        '    return keras.Model([tokens, text], y)\n',
    )
    fit(tiny, module, tmp_path, epochs=8, learning_rate=0.05)
    history = json.loads((tmp_path / 'run' / 'history.json').read_text())
    assert set(history) == {'loss', 'binary_accuracy', 'val_loss', 'val_binary_accuracy'}
    assert max(history['val_binary_accuracy']) > 0.9
    extra = tmp_path / 'serving' / 'assets.extra'
    assert json.loads((extra / 'labels.json').read_text()) == list(LABELS)
    texts = [text for text, _ in tiny.reviews['test'][:5]]
    examples = [make_example(text, 0) for text in texts]
    by_text = score(tmp_path, 'serving_text', text=tf.constant(texts))
    assert by_text == pytest.approx(
        score(tmp_path, 'serving_default', examples=tf.constant(examples)), abs=1e-6
    )
    assert all(0 <= one <= 1 for one in by_text)


def test_single_input_gets_tokens_and_the_loss_tells_a_probability(
    tiny: Tiny, write: Write, tmp_path: pathlib.Path
) -> None:
    module = write(
        'user_compiled.py',
        HEAD + '    tokens = keras.Input([7], dtype="int64")\n' + BAG + '    model = keras.Model('
        'tokens, layers.Dense(1, activation="sigmoid")(x))\n'
        '    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])\n'
        '    return model\n',
    )
    fit(tiny, module, tmp_path, epochs=1, threshold='tuned')
    decision = read_decision_threshold(str(tmp_path / 'serving'))
    tuned = parse_tuned_threshold((tmp_path / 'run' / 'threshold.json').read_bytes())
    assert decision.aim == tuned.aim == 'balanced_accuracy'
    assert decision.threshold == tuned.threshold
    scores = score(tmp_path, 'serving_text', text=[text for text, _ in tiny.reviews['val']])
    positive = np.array([label for _, label in tiny.reviews['val']]) == 1
    above = np.array(scores) > decision.threshold
    assert np.mean(above == positive) == pytest.approx(tuned.value)
    assert 'val_binary_accuracy' in json.loads((tmp_path / 'run' / 'history.json').read_text())
    (value,) = score(tmp_path, 'serving_text', text=tf.constant(['']))
    assert 0.3 < value < 0.7


@pytest.mark.parametrize(
    ('body', 'error', 'message'),
    [
        ('    return 3\n', ComponentError, 'expected a keras.Model, got int$'),
        (
            '    return keras.Sequential([layers.Dense(1)])\n',
            ComponentError,
            'expected a model with inputs',
        ),
        (
            '    x = keras.Input([1], name="stars")\n    y = keras.Input([1], name="tokens")\n'
            '    return keras.Model([x, y], layers.Dense(1)(x + y))\n',
            ComponentError,
            "the input 'stars' has no feature; the features are length, text, tokens$",
        ),
        (
            '    model = keras.Sequential([keras.Input([9]), layers.Dense(1)])\n'
            '    model.compile("adam", "mse")\n    return model\n',
            ConfigError,
            'does not tell whether it returns a probability or a logit',
        ),
        (
            '    return keras.Sequential([keras.Input([9]), layers.Dense(2)])\n',
            ComponentError,
            r'one number per example, got outputs of the shape \(None, 2\)$',
        ),
    ],
)
def test_model_is_refused_before_it_is_trained_when(
    tiny: Tiny,
    write: Write,
    tmp_path: pathlib.Path,
    body: str,
    error: type[ReviewsError],
    message: str,
) -> None:
    module = write(f'user_{abs(hash(body))}.py', HEAD + body)
    with pytest.raises(error, match=message) as caught:
        fit(tiny, module, tmp_path, epochs=1)
    assert caught.value.hint
