"""Scores with the model that TFX's IMDB example exports."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


def load_scorer(model: pathlib.Path) -> Callable[[list[str]], npt.NDArray[np.float64]]:
    """Return a function from texts to the probability of `pos`.

    The signature takes serialized examples and returns logits, `[texts, 1]`.
    """
    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures['serving_default']

    def score(texts: list[str], _keep: Any = loaded) -> npt.NDArray[np.float64]:
        (logits,) = signature(examples=tf.constant([_example(text) for text in texts])).values()
        return np.asarray(tf.sigmoid(logits).numpy(), np.float64).reshape(-1)

    return score


def _example(text: str) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    features = tf.train.Features(feature={'text': value})
    return bytes(tf.train.Example(features=features).SerializeToString())
