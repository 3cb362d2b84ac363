"""The Evaluator's executor: scores the test split and judges the model."""

from __future__ import annotations

import os
import posixpath
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import constants, executor
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from components.common import features
from components.common.atomic_write import UNFINISHED, clear_unfinished
from components.common.beam_jobs import run_beam_pipeline
from components.common.overrides import GATE_OVERRIDES, apply_overrides
from components.evaluator.eval_config import read_gate, resolve_eval_config
from components.evaluator.evaluation import read_evaluation
from components.evaluator.metric_table import EXAMPLE_COUNT
from components.evaluator.overlap import read_overlap_percent
from components.evaluator.score_details import SCORE_DETAILS_FILE
from components.evaluator.workers import Evaluate
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.served_baseline.baseline import is_absent


class Executor(executor.Executor):
    """Evaluates a candidate, and a baseline if there is one, and blesses the candidate or not.

    It must be a subclass of TFX's executor, although it uses none of its code:
    TFX's entry point completes the blessing for such a class only.
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
                candidate; `baseline_model`: may be missing; `statistics`: of the examples.
            output_dict: `evaluation`: in TFMA's format, with a file for
                `read_score_details`; `blessing`: as TFX's Evaluator writes it.
            exec_properties: `eval_config` and `example_splits`; bounds of this run,
                by the names of the gate's settings, are optional.

        Raises:
            ComponentError: If the number of scored examples is not the number that
                ExampleGen wrote.
            ConfigError: If a bound is missing or out of range.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = config_pb2.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        gate = apply_overrides(read_gate(config), exec_properties, GATE_OVERRIDES)
        models = models_of(input_dict)
        # Build it again, so that the whole rule applies whatever configuration was passed.
        config = resolve_eval_config(gate, has_baseline=models.baseline is not None)
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        evaluate(self._make_beam_pipeline(), input_dict, exec_properties, config, evaluation)
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        bless(blessing, evaluation, *models)


class Models(NamedTuple):
    """The artifacts of the candidate and, if there is one, of the baseline."""

    candidate: Artifact
    baseline: Artifact | None


def models_of(input_dict: dict[str, list[Any]]) -> Models:
    """Return the models among the inputs of the node."""
    baselines = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or []
    baseline = artifact_utils.get_single_instance(baselines) if baselines else None
    if baseline is not None and is_absent(baseline.uri):
        baseline = None
    candidate = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
    return Models(candidate, baseline)


def evaluate(
    pipeline: beam.Pipeline,
    input_dict: dict[str, list[Any]],
    exec_properties: dict[str, Any],
    config: config_pb2.EvalConfig,
    evaluation: str,
    *,
    folder: str = '',
) -> None:
    """Score the examples and judge the candidate, see `Evaluate`.

    Args:
        pipeline: A Beam pipeline without transforms.
        input_dict: The inputs of the node.
        exec_properties: The parameters of the node.
        config: The configuration, from `eval_config`.
        evaluation: Folder of the Evaluation artifact.
        folder: Folder below it for all files except the details of the scores.

    Raises:
        ComponentError: If the number of scored examples is not the number that
            ExampleGen wrote.
    """
    models = models_of(input_dict)
    # In TFMA, the name of the only model is empty.
    names = {spec.is_baseline: spec.name if models.baseline else '' for spec in config.model_specs}
    paths = {names[False]: path_utils.serving_model_path(models.candidate.uri)}
    if models.baseline:
        paths[names[True]] = path_utils.serving_model_path(models.baseline.uri)
    examples = artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY])
    splits = json_utils.loads(exec_properties[standard_component_specs.EXAMPLE_SPLITS_KEY])
    files = [path for split in splits for path in split_files(examples, split)]
    summary = ExamplesSummary.read(examples)
    overlap = read_overlap_percent(input_dict, summary.examples(features.TEST_SPLIT))
    results = posixpath.join(evaluation, folder).rstrip('/')
    details = posixpath.join(evaluation, SCORE_DETAILS_FILE)
    with run_beam_pipeline(pipeline, 'Evaluator') as running:
        _ = (
            running
            | 'Files' >> beam.Create(sorted(files), reshuffle=True)
            | 'Evaluate'
            >> Evaluate(paths, config, evaluation=results, details=details, test_overlap=overlap)
        )
    clear_unfinished(posixpath.join(results, UNFINISHED), 'Evaluator')
    scored = int(read_evaluation(results).metrics.get(EXAMPLE_COUNT) or 0)
    summary.require('Evaluator', splits, scored)


def bless(
    blessing: Artifact, evaluation: str, candidate: Artifact, baseline: Artifact | None
) -> None:
    """Write the verdict into the blessing, where TFX's Pusher reads it."""
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
