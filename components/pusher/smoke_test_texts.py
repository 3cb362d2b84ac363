"""Texts of the test split for the smoke test of a model before it is pushed."""

from __future__ import annotations

import itertools
import posixpath

import tensorflow as tf
from tfx.dsl.io import fileio
from tfx.types import Artifact

from components.common import features
from components.evaluator.score_details import SCORE_DETAILS_FILE, parse_score_details
from components.example_gen.artifact_files import split_files
from components.smoke_test.run import KnownScore

_MAX_TEXTS = 50


def first_texts(examples: Artifact) -> list[str]:
    """Return the first texts of `test`, at most 50."""
    files = split_files(examples.uri, features.TEST_SPLIT)
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(files, 'GZIP')
    texts = records.map(lambda record: tf.io.parse_single_example(record, spec)[features.TEXT_KEY])
    return [text.decode() for text in itertools.islice(texts.as_numpy_iterator(), _MAX_TEXTS)]


def known_scores(evaluation_uri: str) -> list[KnownScore]:
    """Return texts of `test` with the scores that the Evaluator measured.

    Returns:
        The examples that the Evaluator stored for the report, without texts that
        were cut; none if an older version wrote the evaluation.
    """
    path = posixpath.join(evaluation_uri, SCORE_DETAILS_FILE)
    if not fileio.exists(path):
        return []
    with fileio.open(path, 'rb') as file:
        details = parse_score_details(file.read())
    shown = {
        example.text: example.probability
        for example in (*details.mistakes, *details.uncertain)
        if not example.cut
    }
    return [KnownScore(text, probability) for text, probability in shown.items()]
