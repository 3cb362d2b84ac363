"""The Beam transform of the Evaluator: scores files of examples and merges the results.

In TFX's own executor, TFMA takes the examples one by one through some fifteen
Beam stages, each example once for each slice. On IMDB's 25,000 test reviews
that took three times the CPU time of the model itself. Here the served
signature scores a batch, and the batch is added to the totals of its slices.
The definitions of the metrics, the thresholds, the judgement and the files are
TFMA's. The details for the report are collected in the same pass.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from components.common import features
from components.common.atomic_write import UNFINISHED, atomic_write
from components.common.explanations import Parts, parts_by_text
from components.evaluator.gate import Slice, write_results
from components.evaluator.score_collector import ScoreCollector
from components.evaluator.score_details import to_json
from components.evaluator.totals import Totals

_TEXTS_PER_BATCH = 1_000

TotalsBySlice = dict[Slice, dict[str, Totals]]


class Scored(NamedTuple):
    """The totals of each slice and model, and the details for the report."""

    totals: TotalsBySlice
    collector: ScoreCollector


class Evaluate(beam.PTransform):
    """Scores files of examples and writes an evaluation in TFMA's format.

    Args:
        models: Paths of the SavedModels by name of the model, candidate first.
        eval_config: TFMA's configuration, with defaults.
        evaluation: Folder to write, which `read_evaluation` reads.
        details: File to write, for `read_score_details`.
        test_overlap: See `write_results`.
    """

    def __init__(
        self,
        models: dict[str, str],
        eval_config: config_pb2.EvalConfig,
        *,
        evaluation: str,
        details: str,
        test_overlap: float,
    ) -> None:
        super().__init__()
        self._models = models
        self._eval_config = eval_config
        self._evaluation = evaluation
        self._details = details
        self._test_overlap = test_overlap

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        return (
            files
            | 'Score' >> beam.ParDo(_Score(self._models, self._eval_config))
            | 'Merge' >> beam.CombineGlobally(_merge)
            | 'Write'
            >> beam.Map(
                _write,
                self._eval_config,
                self._models,
                self._evaluation,
                details=self._details,
                test_overlap=self._test_overlap,
            )
        )


def _write(
    scored: Scored,
    eval_config: config_pb2.EvalConfig,
    models: dict[str, str],
    evaluation: str,
    *,
    details: str,
    test_overlap: float,
) -> None:
    write_results(scored.totals, eval_config, models, evaluation, test_overlap=test_overlap)
    overall = scored.totals.get((), {})
    candidate, *baseline = [overall.get(name, Totals()) for name in models]
    atomic_write(
        details,
        to_json(scored.collector.details(candidate, baseline[0] if baseline else None)),
        part_dir=posixpath.join(evaluation, UNFINISHED),
    )


class _Score(beam.DoFn):
    """Scores a file of examples; for the arguments, see `Evaluate`."""

    def __init__(self, models: dict[str, str], eval_config: config_pb2.EvalConfig) -> None:
        self._models = models
        self._slices = [slicer_lib.SingleSliceSpec(spec=s) for s in eval_config.slicing_specs]
        self._signatures: dict[str, Any] = {}
        self._loaded: list[Any] = []
        self._explain: Any = None

    def setup(self) -> None:
        for name, path in self._models.items():
            model = tf.saved_model.load(path)
            self._loaded.append(model)  # a signature does not keep its variables alive
            self._signatures[name] = model.signatures[features.EXAMPLES_SIGNATURE]
        self._explain = self._loaded[0].signatures.get(features.EXPLAIN_SIGNATURE)

    def process(self, file: str) -> Iterator[Scored]:
        collector, candidate = ScoreCollector(), next(iter(self._models))
        by_length: dict[bytes, dict[str, Totals]] = defaultdict(self._no_totals)
        records = tf.data.TFRecordDataset(file, 'GZIP').batch(_TEXTS_PER_BATCH)
        scored = records.map(
            tf.autograph.experimental.do_not_convert(self._score),
            # A sum does not depend on the order; tokenising a batch takes one core.
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        for texts, labels, lengths, scores in scored.as_numpy_iterator():
            collector.add(texts, labels, scores[candidate])
            for length in np.unique(lengths):
                rows = lengths == length
                for name, predictions in scores.items():
                    by_length[length][name].add(labels[rows], predictions[rows])
        if self._explain is not None:
            collector.add_contributions(self._explain_texts)
        found: TotalsBySlice = defaultdict(self._no_totals)
        for length, of_models in by_length.items():
            for where in slicer_lib.get_slices_for_features_dicts(
                [], {features.LENGTH_KEY: np.array([length] if length else [])}, self._slices
            ):
                for name, totals in of_models.items():
                    found[where][name].merge(totals)
        yield Scored(dict(found), collector)

    def _explain_texts(self, texts: list[bytes]) -> list[Parts]:
        outputs = self._explain(**{features.TEXT_INPUT: tf.constant(texts, tf.string)})
        return parts_by_text(outputs, len(texts))

    def _no_totals(self) -> dict[str, Totals]:
        return {name: Totals() for name in self._models}

    def _score(self, examples: tf.Tensor) -> tuple[Any, ...]:
        spec = {
            features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
            features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
            # TFX's own ExampleGens do not write it.
            features.LENGTH_KEY: tf.io.FixedLenFeature([], tf.string, default_value=''),
        }
        raw = tf.io.parse_example(examples, spec)
        scores = {
            name: signature(**{features.EXAMPLES_INPUT: examples})[features.PROBABILITY_KEY]
            for name, signature in self._signatures.items()
        }
        keys = features.TEXT_KEY, features.LABEL_KEY, features.LENGTH_KEY
        return *(raw[key] for key in keys), scores


def _merge(results: Iterable[Scored]) -> Scored:
    merged = Scored({}, ScoreCollector())
    for result in results:
        merged.collector.merge(result.collector)
        for where, of_models in result.totals.items():
            for name, totals in of_models.items():
                merged.totals.setdefault(where, {}).setdefault(name, Totals()).merge(totals)
    return merged
