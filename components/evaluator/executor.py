"""Scores the test split and judges the model.

TFX's own executor has TFMA take the examples one by one through some fifteen
Beam stages, each example once per slice: on IMDB's 25,000 test reviews that
took three times the CPU time of the model itself. Here a batch is scored by
the served signature and added to the totals of its slices at once. The
metrics' definitions, the thresholds, the judgement and the files stay TFMA's.
What the report shows beyond them is gathered in the same pass.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib
from tfx.components.evaluator import constants, executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from components import features
from components.baseline_resolver.served import is_absent
from components.beam_jobs import finished
from components.evaluator.config import (
    EXAMPLE_COUNT,
    read_gate,
    resolve_eval_config,
)
from components.evaluator.examination import Examination
from components.evaluator.examined import FILE, to_json
from components.evaluator.metrics import Totals
from components.evaluator.results import Slice, write_results
from components.example_gen.summary import ExamplesSummary
from components.explanations import Parts, parts_by_text
from components.overrides import GATE_OVERRIDES, overridden
from components.whole_files import UNFINISHED, clear_unfinished, write_whole

_TEXTS_PER_BATCH = 1_000

TotalsBySlice = dict[Slice, dict[str, Totals]]


class Scored(NamedTuple):
    """What came of some examples: totals of each slice and model, and what the report shows."""

    totals: TotalsBySlice
    examination: Examination


class Executor(executor.Executor):
    """Evaluates a candidate, and a baseline if there is one, and blesses or not.

    It shares no code with TFX's, but must be one of them: for these alone,
    TFX's entry point writes into the blessing what a cloud's resolver reads.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the evaluation and the blessing.

        Args:
            input_dict: `examples`: raw, gzipped TFRecords; `model`: the
                candidate; `baseline_model`: possibly none.
            output_dict: `evaluation`: readable by TFMA, with a file for
                `examined.read_examined`; `blessing`: as TFX's Evaluator leaves it.
            exec_properties: `eval_config` and `example_splits`; possibly bounds of
                this run, by the names of the gate's settings.

        Raises:
            ComponentError: If not as many examples were scored as ExampleGen wrote.
            ConfigError: If a bound is missing or out of range.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        candidate = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.MODEL_KEY]
        )
        baselines = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or []
        baseline = artifact_utils.get_single_instance(baselines) if baselines else None
        if baseline is not None and is_absent(baseline.uri):
            baseline = None
        config = config_pb2.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        gate = overridden(read_gate(config), exec_properties, GATE_OVERRIDES)
        # Built anew, so that it is the whole rule that judges, whatever was handed over.
        config = resolve_eval_config(gate, has_baseline=baseline is not None)
        # TFMA calls the model by no name when it is the only one.
        names = {spec.is_baseline: spec.name if baseline else '' for spec in config.model_specs}
        models = {names[False]: path_utils.serving_model_path(candidate.uri)}
        if baseline:
            models[names[True]] = path_utils.serving_model_path(baseline.uri)
        examples = input_dict[standard_component_specs.EXAMPLES_KEY]
        splits = json_utils.loads(exec_properties[standard_component_specs.EXAMPLE_SPLITS_KEY])
        files = [
            file
            for split in splits
            for uri in artifact_utils.get_split_uris(examples, split)
            for file in fileio.glob(io_utils.all_files_pattern(uri))
        ]
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        with finished(self._make_beam_pipeline(), 'Evaluator') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(sorted(files), reshuffle=True)
                | 'Score' >> beam.ParDo(_Score(models, config))
                | 'Merge' >> beam.CombineGlobally(_MergeFn(has_baseline=baseline is not None))
                | 'Write' >> beam.Map(_write, config, models, evaluation)
            )
        clear_unfinished(os.path.join(evaluation, UNFINISHED), 'Evaluator')
        _require_all(evaluation, examples, splits)
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        bless(blessing, evaluation, candidate, baseline)


def _require_all(evaluation: str, examples: list[Artifact], splits: list[str]) -> None:
    """Check that the evaluation is of all examples."""
    scored = {
        int(item.value.double_value.value)
        for record in tfma.load_metrics(evaluation)
        if not record.slice_key.single_slice_keys
        for item in record.metric_keys_and_values
        if item.key.name == EXAMPLE_COUNT and not item.key.is_diff
    }
    summary = ExamplesSummary.read(artifact_utils.get_single_uri(examples))
    summary.require('Evaluator', splits, max(scored, default=0))


def bless(
    blessing: Artifact, evaluation: str, candidate: Artifact, baseline: Artifact | None
) -> None:
    """Leave the verdict where TFX's Pusher and resolvers look for it."""
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, candidate.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, candidate.id)
    if baseline is not None:
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id
        )
    blessed = tfma.load_validation_result(evaluation).validation_ok
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), '')
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE,
    )


def _write(
    scored: Scored, eval_config: config_pb2.EvalConfig, models: dict[str, str], evaluation: str
) -> None:
    write_results(scored.totals, eval_config, models, evaluation)
    write_whole(
        os.path.join(evaluation, FILE),
        to_json(scored.examination.result()),
        os.path.join(evaluation, UNFINISHED),
    )


class _Score(beam.DoFn):
    """From a file of examples to what came of them.

    Args:
        models: By name, candidate first, the paths of their SavedModels.
        eval_config: TFMA's, with defaults.
    """

    def __init__(self, models: dict[str, str], eval_config: config_pb2.EvalConfig) -> None:
        self._models = models
        self._candidate, self._baseline = (*models, None)[:2]
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
        examination = Examination(has_baseline=self._baseline is not None)
        by_length: dict[bytes, dict[str, Totals]] = defaultdict(self._no_totals)
        records = tf.data.TFRecordDataset(file, 'GZIP').batch(_TEXTS_PER_BATCH)
        scored = records.map(
            tf.autograph.experimental.do_not_convert(self._score),
            # A sum does not depend on the order; tokenising a batch takes one core.
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        for texts, labels, lengths, scores in scored.as_numpy_iterator():
            baseline = None if self._baseline is None else scores[self._baseline]
            examination.add(texts, labels, scores[self._candidate], baseline)
            for length in np.unique(lengths):
                rows = lengths == length
                for name, predictions in scores.items():
                    by_length[length][name].add(labels[rows], predictions[rows])
        if self._explain is not None:
            examination.explain(self._parts)
        found: TotalsBySlice = defaultdict(self._no_totals)
        for length, of_models in by_length.items():
            for where in slicer_lib.get_slices_for_features_dicts(
                [], {features.LENGTH_KEY: np.array([length])}, self._slices
            ):
                for name, totals in of_models.items():
                    found[where][name].merge(totals)
        yield Scored(dict(found), examination)

    def _parts(self, texts: list[bytes]) -> list[Parts]:
        said = self._explain(**{features.TEXT_INPUT: tf.constant(texts, tf.string)})
        return parts_by_text(said, len(texts))

    def _no_totals(self) -> dict[str, Totals]:
        return {name: Totals() for name in self._models}

    def _score(self, examples: tf.Tensor) -> tuple[Any, ...]:
        spec = {
            features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
            features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
            features.LENGTH_KEY: tf.io.FixedLenFeature([], tf.string),
        }
        raw = tf.io.parse_example(examples, spec)
        scores = {
            name: signature(**{features.EXAMPLES_INPUT: examples})[features.PROBABILITY_KEY]
            for name, signature in self._signatures.items()
        }
        keys = features.TEXT_KEY, features.LABEL_KEY, features.LENGTH_KEY
        return *(raw[key] for key in keys), scores


class _MergeFn(beam.CombineFn):
    """Puts together what came of all files."""

    def __init__(self, *, has_baseline: bool) -> None:
        self._has_baseline = has_baseline

    def create_accumulator(self) -> Scored:
        return Scored({}, Examination(has_baseline=self._has_baseline))

    def add_input(self, accumulator: Scored, element: Scored) -> Scored:
        accumulator.examination.merge(element.examination)
        for where, of_models in element.totals.items():
            for name, totals in of_models.items():
                accumulator.totals.setdefault(where, {}).setdefault(name, Totals()).merge(totals)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Scored]) -> Scored:
        total = self.create_accumulator()
        for accumulator in accumulators:
            self.add_input(total, accumulator)
        return total

    def extract_output(self, accumulator: Scored) -> Scored:
        return accumulator
