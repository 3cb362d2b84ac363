"""Completes and checks the SavedModel of a user's model, so that the pipeline can judge it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.user_module.settings import Output

# Names of the output that holds the scores, if there are several outputs.
_NAMES: Mapping[str, tuple[str, ...]] = {
    'probability': (features.PROBABILITY_KEY, 'probabilities'),
    'logit': ('logit', 'logits'),
}
_OTHER: Mapping[str, Output] = {'probability': 'logit', 'logit': 'probability'}
# One batch, as for the project's own models.
_EXAMPLES = 256
_CONTRACT = (
    'run_fn must save a SavedModel in fn_args.serving_model_dir whose signature serving_default '
    'takes serialized tf.Examples and returns one number for each; docs/extending.md shows one'
)


def complete_export(directory: str, output: Output) -> None:
    """Add the output `probability` to the `serving_default` of a SavedModel.

    Its other outputs and signatures stay. If the output is called `probability` already,
    the model is left as it is.

    Args:
        directory: The SavedModel.
        output: What its output is.

    Raises:
        ComponentError: If there is no such signature, or its output is not clear.
    """
    try:
        loaded = tf.saved_model.load(directory)
    except (OSError, tf.errors.OpError) as err:
        raise _refused(f'no SavedModel can be loaded from {directory}: {err}') from err
    signatures = dict(loaded.signatures)
    serve = signatures.get(features.EXAMPLES_SIGNATURE)
    if serve is None:
        got = ', '.join(sorted(signatures)) or 'none'
        raise _refused(f'expected the signature {features.EXAMPLES_SIGNATURE}, got {got}')
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1 or any(spec.dtype != tf.string for spec in inputs.values()):
        got = ', '.join(f'{name}: {spec.dtype.name}' for name, spec in sorted(inputs.items()))
        raise _refused(
            f'expected {features.EXAMPLES_SIGNATURE} to take serialized tf.Examples, one input of '
            f'strings, got {got}'
        )
    outputs = serve.structured_outputs
    name = _score_name(outputs, output)
    given, spec = next(iter(inputs)), outputs[name]
    if (given, name) == (features.EXAMPLES_INPUT, features.PROBABILITY_KEY) and (
        spec.dtype == tf.float32 and spec.shape.rank == 1
    ):
        return

    def score(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = serve(**{given: examples})
        # One value per example is checked by calling it.
        value = tf.reshape(tf.cast(found[name], tf.float32), [-1])
        return {
            **found,
            features.PROBABILITY_KEY: tf.sigmoid(value) if output == 'logit' else value,
        }

    owner = tf.Module()
    owner.loaded = loaded
    examples = tf.TensorSpec([None], tf.string, name=features.EXAMPLES_INPUT)
    signatures[features.EXAMPLES_SIGNATURE] = tf.function(
        score, autograph=False
    ).get_concrete_function(examples)
    extra = os.path.join(directory, 'assets.extra')
    part = f'{directory.rstrip("/")}.part'
    tf.saved_model.save(owner, part, signatures=signatures)
    if tf.io.gfile.exists(extra):
        _copy(extra, os.path.join(part, 'assets.extra'))
    tf.io.gfile.rmtree(directory)
    tf.io.gfile.rename(part, directory)


def require_one_score_each(directory: str, files: Sequence[str], output: Output) -> None:
    """Check the scores of some raw examples.

    Args:
        directory: The completed SavedModel.
        files: Gzipped TFRecord files of raw examples.
        output: What the user's model returns.

    Raises:
        ComponentError: If there is not one finite probability for each example.
    """
    records = tf.data.TFRecordDataset(list(files), 'GZIP').take(_EXAMPLES)
    examples = list(records.as_numpy_iterator())
    model = tf.saved_model.load(directory)
    serve = model.signatures[features.EXAMPLES_SIGNATURE]
    name = features.EXAMPLES_SIGNATURE
    for count in (len(examples), 1):
        try:
            outputs = serve(**{features.EXAMPLES_INPUT: tf.constant(examples[:count])})
        except tf.errors.OpError as err:
            reason = ' '.join(str(err).split())[:300]
            raise _refused(f'{name} cannot score examples of this data: {reason}') from err
        scores = outputs[features.PROBABILITY_KEY].numpy()
        if scores.shape != (count,):
            raise _refused(f'expected one score for each of {count} examples, got {scores.size}')
        if not np.isfinite(scores).all():
            wrong = int(np.count_nonzero(~np.isfinite(scores)))
            raise ComponentError(
                f'the model returns no finite number for {wrong} of {count} examples',
                hint='the training diverged, or a feature is not a number: look at its loss',
            )
        outside = scores[(scores < 0) | (scores > 1)]
        if len(outside):
            raise ComponentError(
                f'the model returns {outside[0]:.4g}, but a probability is in [0, 1]',
                hint=f'if it is a {_OTHER[output]}, pass --set trainer.model.output='
                f'{_OTHER[output]}',
            )


def _score_name(outputs: Mapping[str, Any], output: Output) -> str:
    """Return the name of the output that holds the scores."""
    if features.PROBABILITY_KEY in outputs and output == 'logit':
        raise ComponentError(
            f'trainer.model.output is logit, but {features.EXAMPLES_SIGNATURE} has an output '
            f'{features.PROBABILITY_KEY}',
            hint='pass --set trainer.model.output=probability',
        )
    named = [name for name in _NAMES[output] if name in outputs]
    if named or len(outputs) == 1:
        return named[0] if named else next(iter(outputs))
    raise _refused(
        f'expected one output of {features.EXAMPLES_SIGNATURE}, or one of them called '
        f'{" or ".join(_NAMES[output])}, got {", ".join(sorted(outputs)) or "none"}'
    )


def _refused(message: str) -> ComponentError:
    return ComponentError(f'the exported model cannot be used: {message}', hint=_CONTRACT)


def _copy(source: str, target: str) -> None:
    tf.io.gfile.makedirs(target)
    for name in tf.io.gfile.listdir(source):
        one, other = os.path.join(source, name), os.path.join(target, name)
        if tf.io.gfile.isdir(one):
            _copy(one, other)
        else:
            tf.io.gfile.copy(one, other)
