from __future__ import annotations

import pathlib

import keras
import pytest
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.trainer.agreement import require_same_scores
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models.tutorial import model as tutorial
from tests.components.trainer.test_run import run
from tests.components.trainer.tiny import Exported, Tiny, build_nan, export_model, shift_bias


class Eager(keras.layers.Layer):
    """Negates logits when it runs eagerly, but not when it is traced."""

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        return -logits if tf.executing_eagerly() else logits


class Wrapped(keras.Model):
    """A model with one more layer."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        self.layer = Eager()

    def call(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        return self.layer(self.model(tokens, training=False))

    def explain(self, tokens: tf.RaggedTensor) -> object:
        return self.model.explain(tokens)


def test_training_fails_when_a_layer_differs_after_export(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tutorial.train

    def train_wrapped(job: TrainingJob) -> TrainedModel:
        trained = train(job)
        return TrainedModel(Wrapped(trained.model), trained.history)

    monkeypatch.setattr(tutorial, 'train', train_wrapped)
    message = (
        r'^Trainer: expected .* but serving_default differs in \d+ of 40 val examples: '
        r'0\.\d{6} in place of 0\.\d{6} in the worst one$'
    )
    with pytest.raises(ComponentError, match=message):
        run(tiny, tmp_path)


def check_scores(tiny: Tiny, model: keras.Model, exported: pathlib.Path) -> None:
    require_same_scores(
        model, tiny.load_transform(), [tiny.pattern(features.VAL_SPLIT)], str(exported)
    )


def test_training_fails_when_other_weights_were_exported(tiny: Tiny, exported: Exported) -> None:
    # A shift of 0.001 in the logit is one of 0.00025 in the probability.
    with pytest.raises(ComponentError, match='the exported model to return the scores') as caught:
        check_scores(tiny, shift_bias(exported.model, 1e-3), exported.serving)
    assert 'correct the layer' in caught.value.hint
    check_scores(tiny, shift_bias(exported.model, 1e-6), exported.serving)


def test_nan_is_accepted_when_both_scores_are_nan(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    nan = build_nan()
    export_model(nan, tiny, tmp_path / 'nan')
    check_scores(tiny, nan, tmp_path / 'nan')
    with pytest.raises(ComponentError, match='nan in place of 0'):
        check_scores(tiny, exported.model, tmp_path / 'nan')
    with pytest.raises(ComponentError, match=r'in place of nan'):
        check_scores(tiny, nan, exported.serving)
