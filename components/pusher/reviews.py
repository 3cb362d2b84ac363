"""The reviews of a run that its model is tried with before it is pushed."""

from __future__ import annotations

import itertools
import posixpath

import tensorflow as tf
from tfx.dsl.io import fileio
from tfx.types import Artifact

from components.common import features
from components.evaluator.examined import FILE, parse_examined
from components.readers.files import split_files
from components.smoke_test.run import KnownScore

_MOST = 50


def first_reviews(examples: Artifact) -> list[str]:
    """Return the first reviews of `test`, as ExampleGen wrote them; at most `_MOST`."""
    files = split_files(examples.uri, features.TEST_SPLIT)
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(files, 'GZIP')
    texts = records.map(lambda record: tf.io.parse_single_example(record, spec)[features.TEXT_KEY])
    return [text.decode() for text in itertools.islice(texts.as_numpy_iterator(), _MOST)]


def known_scores(evaluation_uri: str) -> list[KnownScore]:
    """Return whole reviews of `test` and what the Evaluator measured for them.

    Returns:
        Those that it kept for the report, the most confident mistakes and the
        most uncertain ones; none if it is older than that.
    """
    path = posixpath.join(evaluation_uri, FILE)
    if not fileio.exists(path):
        return []
    with fileio.open(path, 'rb') as file:
        examined = parse_examined(file.read())
    shown = {
        example.text: example.probability
        for example in (*examined.mistakes, *examined.uncertain)
        if not example.cut
    }
    return [KnownScore(text, probability) for text, probability in shown.items()]
