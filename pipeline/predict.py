"""Scores texts with a pushed model."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from components import features
from components.errors import DataError
from pipeline import serving_store

_BATCH_SIZE = 1_000


class Score(NamedTuple):
    """What the model says of a text.

    Attributes:
        text: The text.
        label: Name of the likelier label.
        probability: Of the positive label, in [0, 1].
    """

    text: str
    label: str
    probability: float


def live_model(serving_dir: pathlib.Path) -> pathlib.Path:
    """Return the version pushed last.

    Raises:
        DataError: If nothing was pushed.
    """
    live = serving_store.live_version(serving_dir)
    if live is None:
        raise DataError(
            f'no model was pushed to {serving_dir}',
            hint='train one (pipeline_runner.py run), or name its --root and --name',
        )
    return live


def score_texts(texts: Iterable[str], model_dir: pathlib.Path) -> Iterator[Score]:
    """Score texts, as a stream.

    Args:
        texts: Any number; they are scored in batches.
        model_dir: A pushed version.

    Yields:
        A score for each text, in their order.

    Raises:
        DataError: If the model cannot be loaded.
    """
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(model_dir))
        score = model.signatures[features.TEXT_SIGNATURE]
        labels = json.loads(
            (model_dir / 'assets.extra' / features.LABELS_ASSET).read_text(encoding='utf-8')
        )
    except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
        raise DataError(
            f'the model in {model_dir} cannot be loaded: {err}',
            hint='it is damaged: remove the folder, and the version before it is live',
        ) from err
    stream = iter(texts)
    while batch := list(islice(stream, _BATCH_SIZE)):
        outputs = score(**{features.TEXT_INPUT: tf.constant(batch)})
        for text, value in zip(batch, outputs[features.PROBABILITY_KEY].numpy().tolist()):
            yield Score(text, labels[int(value > 0.5)], value)
