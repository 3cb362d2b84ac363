"""The Beam transform of the Evaluator: scores files of examples.

In TFX's own executor, TFMA takes the examples one by one through some fifteen
Beam stages, each example once for each slice. On IMDB's 25,000 test reviews
that took three times the CPU time of the model itself. Here the served
signature scores a batch, and a worker writes the scores of a file of examples
into a file of columns. The totals and the examples for the report are in a temporary file for
each file of examples, since the texts may have any length; one worker merges them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf

from components.common import features
from components.common.atomic_write import UNFINISHED, atomic_write
from components.common.errors import DataError
from components.common.explanations import Parts, parts_by_text
from components.common.settings import FeatureType
from components.common.worker_files import StoredValue, WorkerFiles
from components.evaluator.estimation.totals import Totals
from components.evaluator.score_collector import ScoreCollector
from components.evaluator.score_details import to_json
from components.evaluator.score_files import Column, write_scores

_TEXTS_PER_BATCH = 1_000
_TYPES = {'int': tf.int64, 'float': tf.float32, 'string': tf.string}


class Shard(NamedTuple):
    """A file of examples, and the file for its scores."""

    examples: str
    scores: str


class Scored(NamedTuple):
    """The totals of each model, and the details for the report."""

    totals: dict[str, Totals]
    collector: ScoreCollector


class Evaluate(beam.PTransform):
    """Scores files of examples, and writes the scores and the details for the report.

    Args:
        models: Paths of the SavedModels by name of the model, candidate first.
        thresholds: Decision thresholds by name of the model.
        columns: Types of the columns to write with the scores.
        evaluation: Folder of the Evaluation artifact.
        details: File to write, for `read_score_details`.
    """

    def __init__(
        self,
        models: dict[str, str],
        thresholds: dict[str, float],
        columns: Mapping[str, FeatureType],
        *,
        evaluation: str,
        details: str,
    ) -> None:
        super().__init__()
        self._score = _Score(models, thresholds, columns, evaluation)
        self._models = list(models)
        self._threshold = thresholds[self._models[0]]
        self._evaluation = evaluation
        self._details = details

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        return (
            shards
            | 'Score' >> beam.ParDo(self._score)
            # Some 200 bytes for each file; there may be none.
            | 'Together' >> beam.combiners.ToList()
            | 'Write'
            >> beam.Map(
                _write,
                self._models,
                self._threshold,
                details=self._details,
                evaluation=self._evaluation,
            )
        )


def _write(
    results: list[StoredValue],
    models: list[str],
    threshold: float,
    *,
    details: str,
    evaluation: str,
) -> None:
    totals = {name: Totals() for name in models}
    collector = ScoreCollector(threshold)
    for stored in results:
        scored: Scored = WorkerFiles(evaluation).load(stored)
        collector.merge(scored.collector)
        for name, of_file in scored.totals.items():
            totals[name].merge(of_file)
    candidate, *baseline = totals.values()
    atomic_write(
        details,
        to_json(collector.details(candidate, baseline[0] if baseline else None)),
        part_dir=posixpath.join(evaluation, UNFINISHED),
    )


class _Score(beam.DoFn):
    """Scores a file of examples, and stores the result; for the arguments, see `Evaluate`."""

    def __init__(
        self,
        models: dict[str, str],
        thresholds: dict[str, float],
        columns: Mapping[str, FeatureType],
        evaluation: str,
    ) -> None:
        self._models = models
        self._thresholds = thresholds
        self._columns = dict(columns)
        self._evaluation = evaluation
        self._signatures: dict[str, Any] = {}
        self._loaded: list[Any] = []
        self._explain: Any = None

    def setup(self) -> None:
        for name, path in self._models.items():
            model = tf.saved_model.load(path)
            self._loaded.append(model)  # a signature does not keep its variables alive
            self._signatures[name] = model.signatures[features.EXAMPLES_SIGNATURE]
        self._explain = self._loaded[0].signatures.get(features.EXPLAIN_SIGNATURE)

    def process(self, shard: Shard) -> list[StoredValue]:
        candidate = next(iter(self._models))
        collector = ScoreCollector(self._thresholds[candidate])
        totals = {name: Totals() for name in self._models}
        batches: list[dict[str, Column]] = [self._no_examples()]
        records = tf.data.TFRecordDataset(shard.examples, 'GZIP').batch(_TEXTS_PER_BATCH)
        scored = records.enumerate().map(
            tf.autograph.experimental.do_not_convert(self._score),
            # The file has the numbers of the rows; tokenising a batch takes one core.
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        for batch, texts, labels, columns, scores in scored.as_numpy_iterator():
            collector.add(texts, labels, scores[candidate])
            for name, predictions in scores.items():
                totals[name].add(labels, predictions, threshold=self._thresholds[name])
            batches.append(
                {
                    'row': batch * _TEXTS_PER_BATCH + np.arange(len(labels)),
                    'label': labels,
                    **{f'model.{name}': values for name, values in scores.items()},
                    **{
                        f'column.{name}': _to_objects(name, *columns[name])
                        for name in self._columns
                    },
                }
            )
        if self._explain is not None:
            collector.add_contributions(self._explain_texts)
        found = {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}
        write_scores(
            shard.scores,
            found['row'],
            found['label'],
            {name: found[f'model.{name}'] for name in self._models},
            columns={name: found[f'column.{name}'] for name in self._columns},
            types=self._columns,
            evaluation=self._evaluation,
        )
        return WorkerFiles(self._evaluation).store([Scored(totals, collector)])

    def _no_examples(self) -> dict[str, Column]:
        """Return columns without rows, for a file without examples."""
        return {
            'row': np.zeros(0, np.int64),
            'label': np.zeros(0, np.int64),
            **{f'model.{name}': np.zeros(0, np.float32) for name in self._models},
            **{f'column.{name}': np.zeros(0, object) for name in self._columns},
        }

    def _explain_texts(self, texts: list[bytes]) -> list[Parts]:
        outputs = self._explain(**{features.TEXT_INPUT: tf.constant(texts, tf.string)})
        return parts_by_text(outputs, len(texts))

    def _score(self, batch: tf.Tensor, examples: tf.Tensor) -> tuple[Any, ...]:
        spec = {
            features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
            features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
            # An example may lack a value. TFX's own ExampleGens write no length.
            **{
                name: tf.io.RaggedFeature(_TYPES[kind], row_splits_dtype=tf.int64)
                for name, kind in self._columns.items()
            },
        }
        raw = tf.io.parse_example(examples, spec)
        scores = {
            name: signature(**{features.EXAMPLES_INPUT: examples})[features.PROBABILITY_KEY]
            for name, signature in self._signatures.items()
        }
        columns = {name: (raw[name].values, raw[name].row_lengths()) for name in self._columns}
        return batch, raw[features.TEXT_KEY], raw[features.LABEL_KEY], columns, scores


def _to_objects(name: str, values: Column, counts: Column) -> Column:
    """Return the value of each example, None where there is none.

    Args:
        name: Name of the column.
        values: The values of all examples.
        counts: Number of values of each example.
    """
    if (counts > 1).any():
        raise DataError(
            f'expected one value of the column {name!r} for each example, got {counts.max()}',
            hint='name another column in gate.slices',
        )
    found = np.empty(len(counts), object)
    found[counts == 1] = [value if value != b'' else None for value in values.tolist()]
    return found
