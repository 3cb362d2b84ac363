"""The functions that the Trainer runs if a user's module has the model."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.errors import ComponentError, ConfigError
from components.common.settings import TextSettings
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.trainer.decision import require_tunable_val, store_threshold
from components.trainer.fitting import compile_model, fit
from components.trainer.run import TEXT_KEY, TRAINER_KEY, write_history
from components.trainer.serving import KerasServing, TransformGraph, write_asset
from components.trainer.settings import TrainerSettings
from components.user_module.export import complete_export, require_one_score_each
from components.user_module.inputs import ModelInputs
from components.user_module.loading import call
from components.user_module.settings import ModuleSettings, Output
from components.user_module.source import BUILD_MODEL, MODULE_KEY, RAW_EXAMPLES_KEY, RUN_FN

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

_EXAMPLES_PER_BATCH = 1_000
# Examples that are shuffled among each other.
_SHUFFLED_EXAMPLES = 100_000
_VAL_BATCH_SIZE = 1_024
# Largest difference between a probability of the exported model and of the trained one.
_TOLERANCE = 1e-5


def run_user_fn(fn_args: FnArgs) -> None:
    """Call the user's `run_fn` as TFX does, then complete and check what it exported.

    Args:
        fn_args: Arguments of TFX's Trainer, with transformed examples. The user's function
            gets them with the steps and the `custom_config` of the settings.

    Raises:
        ComponentError: If the function fails, or the exported model cannot be used.
        ConfigError: If the decision threshold cannot be tuned.
    """
    settings, model, _ = _settings(fn_args)
    assert model.output is not None
    artifact = fn_args.custom_config[RAW_EXAMPLES_KEY]
    require_tunable_val(settings, artifact)
    of_user = copy.copy(fn_args)
    of_user.custom_config = dict(model.config)
    of_user.train_steps, of_user.eval_steps = model.train_steps, model.eval_steps
    keras.utils.set_random_seed(settings.seed)
    call(fn_args.custom_config[MODULE_KEY], RUN_FN, of_user)
    complete_export(fn_args.serving_model_dir, model.output)
    write_history({}, fn_args.model_run_dir)
    _complete(fn_args, artifact, model.output)


def fit_user_model(fn_args: FnArgs) -> None:
    """Build the model by the user's `build_model`, train it, export it, and check it.

    Args:
        fn_args: Arguments of TFX's Trainer, with raw examples.

    Raises:
        ComponentError: If the function fails, or its model cannot be used.
        ConfigError: If neither the settings nor the loss tell what the model returns, or the
            decision threshold cannot be tuned.
    """
    settings, model_settings, text = _settings(fn_args)
    artifact = posixpath.dirname(posixpath.dirname(fn_args.train_files[0]))
    require_tunable_val(settings, artifact)
    transform = TransformGraph(tft.TFTransformOutput(fn_args.transform_graph_path))
    keras.utils.set_random_seed(settings.seed)
    hparams = {
        'vocab_size': text.vocab_size,
        'max_tokens': text.max_tokens,
        'learning_rate': model_settings.learning_rate,
        **model_settings.config,
    }
    model = call(fn_args.custom_config[MODULE_KEY], BUILD_MODEL, hparams)
    if not isinstance(model, keras.Model):
        raise ComponentError(
            f'build_model: expected a keras.Model, got {type(model).__name__}',
            hint='return the model; import keras, not tf_keras',
        )
    inputs = ModelInputs(model, transform, text.max_tokens)
    if model.output_shape not in ((None,), (None, 1)):
        raise ComponentError(
            'build_model: expected a model with one number per example, got outputs of the shape '
            f'{model.output_shape}',
            hint='let the last layer be keras.layers.Dense(1)',
        )
    output = _output_of(model, model_settings.output)
    if not model.compiled:
        compile_model(model, model_settings.learning_rate, from_logits=output == 'logit')
    train = _read(artifact, features.TRAIN_SPLIT, transform, inputs)
    train = train.shuffle(_SHUFFLED_EXAMPLES, seed=settings.seed).batch(model_settings.batch_size)
    val = _read(artifact, features.VAL_SPLIT, transform, inputs).batch(_VAL_BATCH_SIZE)
    history = fit(
        model,
        train.prefetch(tf.data.AUTOTUNE),
        val,
        epochs=model_settings.epochs,
        restore_best_epoch=model_settings.restore_best_epoch,
        log_dir=fn_args.model_run_dir,
    )
    served = _Served(model, inputs, transform, output)
    served.save(fn_args.serving_model_dir)
    if output == 'probability':
        # Keras's name for it. Of logits, it would be the accuracy at a probability of 0.62.
        for prefix in ('', 'val_'):
            if f'{prefix}accuracy' in history:
                history[f'{prefix}binary_accuracy'] = history.pop(f'{prefix}accuracy')
    write_history(history, fn_args.model_run_dir)
    _complete(fn_args, artifact, output)
    _require_same_scores(served, artifact, fn_args.serving_model_dir)


def _settings(fn_args: FnArgs) -> tuple[TrainerSettings, ModuleSettings, TextSettings]:
    settings = TrainerSettings.model_validate(fn_args.custom_config[TRAINER_KEY])
    assert isinstance(settings.model, ModuleSettings)
    return settings, settings.model, TextSettings.model_validate(fn_args.custom_config[TEXT_KEY])


def _complete(fn_args: FnArgs, artifact: str, output: Output) -> None:
    """Check an exported model on examples of `val`, and write its assets."""
    settings, _, text = _settings(fn_args)
    directory = fn_args.serving_model_dir
    parts: dict[str, Any] = {TRAINER_KEY: settings.of_weights(), TEXT_KEY: text.model_dump()}
    if columns := _feature_columns(fn_args.transform_graph_path):
        parts[features.COLUMNS_KEY] = columns
    write_asset(directory, features.LABELS_ASSET, list(ExamplesSummary.read(artifact).labels))
    write_asset(directory, features.SETTINGS_ASSET, parts)
    require_one_score_each(directory, split_files(artifact, features.VAL_SPLIT), output)
    store_threshold(settings, artifact, model=directory, model_run=fn_args.model_run_dir)


def _feature_columns(transform_graph: str) -> list[str]:
    """Return the features that not every example has, as NAME:TYPE."""
    spec = tft.TFTransformOutput(transform_graph).raw_feature_spec()
    types = {tf.int64: 'int', tf.float32: 'float', tf.string: 'string'}
    own = (features.TEXT_KEY, features.LABEL_KEY, features.LENGTH_KEY)
    return [f'{name}:{types[each.dtype]}' for name, each in spec.items() if name not in own]


def _output_of(model: keras.Model, declared: Output | None) -> Output:
    """Return what a model returns: as declared, or as its loss or its last layer tells."""
    told: Output | None = None
    if model.compiled:
        from_logits = getattr(model.loss, 'from_logits', None)
        if model.loss in ('binary_crossentropy', 'bce'):
            from_logits = False
        if from_logits is not None:
            told = 'logit' if from_logits else 'probability'
    else:
        activation = getattr(model.layers[-1], 'activation', None)
        told = 'probability' if activation is keras.activations.sigmoid else 'logit'
    if declared is None and told is None:
        raise ConfigError(
            'the loss of the model does not tell whether it returns a probability or a logit',
            hint='pass --set trainer.model.output=probability or --set trainer.model.output=logit',
        )
    if declared is not None and told is not None and declared != told:
        raise ConfigError(
            f'trainer.model.output is {declared}, but the loss or the last layer of the model is '
            f'that of a {told}',
            hint='leave out trainer.model.output, or correct build_model',
        )
    return declared or told or 'logit'


def _spec(transform: TransformGraph) -> dict[str, Any]:
    """Return the features that a client of the model sends."""
    return {k: spec for k, spec in transform.raw_spec.items() if k != features.LABEL_KEY}


def _read(
    artifact: str, split: str, transform: TransformGraph, inputs: ModelInputs
) -> tf.data.Dataset:
    """Return the inputs of the model and float32 labels `[1]` of each example.

    Raises:
        ComponentError: If there are not as many examples as ExampleGen wrote.
    """
    records = tf.data.TFRecordDataset(split_files(artifact, split), 'GZIP')
    count = sum(int(tf.size(batch)) for batch in records.batch(4_096))
    ExamplesSummary.read(artifact).require('Trainer', [split], count)
    label = {features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64)}

    def convert(examples: tf.Tensor) -> tuple[Any, tf.Tensor]:
        raw = tf.io.parse_example(examples, _spec(transform))
        labels = tf.io.parse_example(examples, label)[features.LABEL_KEY]
        return inputs(raw), tf.cast(labels, tf.float32)[:, tf.newaxis]

    batches = records.batch(_EXAMPLES_PER_BATCH).map(
        tf.autograph.experimental.do_not_convert(convert), num_parallel_calls=tf.data.AUTOTUNE
    )
    cached = batches.unbatch().cache()
    return cached.apply(tf.data.experimental.assert_cardinality(count))


class _Served(KerasServing):
    """The signatures of a user's Keras model."""

    def __init__(
        self, model: keras.Model, inputs: ModelInputs, transform: TransformGraph, output: Output
    ) -> None:
        super().__init__(model)
        self._inputs = inputs
        self._spec = _spec(transform)
        self._output = output

    def score(self, raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        value = self.model(self._inputs(raw), training=False)
        value = tf.reshape(tf.cast(value, tf.float32), [-1])
        return {features.PROBABILITY_KEY: tf.sigmoid(value) if self._output == 'logit' else value}

    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.score(tf.io.parse_example(examples, self._spec))

    def score_texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.score({features.TEXT_KEY: text})

    def save(self, directory: str) -> None:
        functions = {
            features.EXAMPLES_SIGNATURE: (self.score_examples, features.EXAMPLES_INPUT),
            features.TEXT_SIGNATURE: (self.score_texts, features.TEXT_INPUT),
        }
        if not self._inputs.needs_text_alone:
            del functions[features.TEXT_SIGNATURE]
        signatures = {
            signature: tf.function(function, autograph=False).get_concrete_function(
                tf.TensorSpec([None], tf.string, name=name)
            )
            for signature, (function, name) in functions.items()
        }
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(self, directory, signatures=signatures, options=options)


def _require_same_scores(served: _Served, artifact: str, directory: str) -> None:
    """Check that the exported model returns the scores of the model in memory."""
    files: Sequence[str] = split_files(artifact, features.VAL_SPLIT)
    examples = next(iter(tf.data.TFRecordDataset(files, 'GZIP').batch(256)))
    trained = served.score_examples(examples)[features.PROBABILITY_KEY].numpy()
    signature = tf.saved_model.load(directory).signatures[features.EXAMPLES_SIGNATURE]
    exported = signature(**{features.EXAMPLES_INPUT: examples})[features.PROBABILITY_KEY].numpy()
    worst = float(np.abs(exported - trained).max(initial=0))
    if worst > _TOLERANCE:
        raise ComponentError(
            f'the exported model returns other scores than the trained one: {worst:.2g} apart',
            hint='use layers whose output does not change when the model is saved and loaded',
        )
