"""TFX's executor of the Evaluator, and after it the gate of this project."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tfx.components.evaluator import executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.common.atomic_write import UNFINISHED, clear_unfinished
from components.evaluator.evaluation import Evaluation, Metrics, write_evaluation
from components.evaluator.executor import bless
from components.evaluator.gate import is_blessed, judge, judge_safeguards, judge_scores
from components.evaluator.measure import measure, models_of, to_evaluation
from components.evaluator.metric_table import Check
from components.evaluator.parameters import read_gate
from components.evaluator.slice_patterns import slice_name
from components.evaluator.tfma.eval_config import build_eval_config
from components.evaluator.tfma.files import (
    Values,
    read_config,
    read_values,
    to_validation,
    write_validation,
)
from components.evaluator.tfma.validation import metric_name, validated_checks


class StockExecutor(executor.Executor):
    """Lets TFMA evaluate and validate, and may refuse what it blesses."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the evaluation and the blessing.

        The executor of this project scores the examples and judges. TFX's executor evaluates and
        validates with the bounds that TFMA can express, or with a configuration of the user's.
        The model is blessed if both bless it. With a configuration of the user's, the judgement
        of this project is that of the safeguards: the candidate returns a probability for each
        example, the baseline is better than chance, and few texts of `test` are also in
        `train` or `val`.

        Args:
            input_dict: See `components.evaluator.executor.Executor`.
            output_dict: The same.
            exec_properties: The same, and `eval_config` if there is a configuration of the
                user's, which is used as it is.

        Raises:
            ComponentError: If the number of scored examples is not the number that
                ExampleGen wrote.
            ConfigError: If a bound is missing or out of range.
        """
        models = models_of(input_dict)
        has_baseline = models.baseline is not None
        of_user = exec_properties.get(standard_component_specs.EVAL_CONFIG_KEY)
        gate, columns = read_gate(exec_properties, is_of_user=bool(of_user))
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        measured = measure(
            self._make_beam_pipeline(),
            input_dict,
            exec_properties,
            gate,
            columns,
            evaluation=evaluation,
        )
        slices, overlap = measured.slices, measured.test_overlap
        whole = measured.estimates['']
        if of_user:
            config = config_pb2.EvalConfig()
            proto_utils.json_to_proto(of_user, config)
            rulings = [
                *judge_scores(whole),
                *judge_safeguards(gate, whole, test_overlap=overlap),
            ]
        else:
            rulings = judge(gate, measured.estimates, slices.by_pattern, test_overlap=overlap)
            config = build_eval_config(
                rulings, slices.slices, measured.thresholds, has_baseline=has_baseline
            )
        unused = () if has_baseline else (standard_component_specs.BASELINE_MODEL_KEY,)
        super().Do(
            {key: artifacts for key, artifacts in input_dict.items() if key not in unused},
            output_dict,
            {
                **exec_properties,
                standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config),
            },
        )
        values = read_values(evaluation)
        result = tfma.load_validation_result(evaluation)
        of_tfma = validated_checks(read_config(evaluation), result, values)
        if not of_user:
            of_tfma = tuple(check for check in of_tfma if not check.passed)
        failed = [ruling for ruling in rulings if not ruling.check.passed]
        blessed = result.validation_ok and (bool(of_user) or is_blessed(rulings)) and not failed
        known = {(check.metric, check.slice) for check in of_tfma if not check.passed}
        further = [r for r in failed if (r.check.metric, r.check.slice) not in known]
        if further or blessed != result.validation_ok:
            _refuse(result, to_validation(further, slices.slices, has_baseline=has_baseline))
            for path in tf.io.gfile.glob(os.path.join(evaluation, 'validations*')):
                tf.io.gfile.remove(path)
            write_validation(result, evaluation)
        checks = [ruling.check for ruling in rulings]
        found = to_evaluation(gate, measured, _merge(of_tfma, checks))
        write_evaluation(_add_metrics(found, values) if of_user else found, evaluation)
        clear_unfinished(os.path.join(evaluation, UNFINISHED), 'Evaluator')
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        # TFX's executor writes no verdict if no bounds are set.
        for name in fileio.listdir(blessing.uri) if fileio.exists(blessing.uri) else ():
            fileio.remove(os.path.join(blessing.uri, name))
        bless(blessing, blessed, *models)


def _refuse(
    result: validation_result_pb2.ValidationResult, ours: validation_result_pb2.ValidationResult
) -> None:
    """Refuse the candidate in TFMA's result."""
    result.validation_ok = False
    result.metric_validations_per_slice.extend(ours.metric_validations_per_slice)
    result.missing_slices.extend(ours.missing_slices)


def _merge(of_tfma: Iterable[Check], ours: Iterable[Check]) -> list[Check]:
    """Return the checks of TFMA and of this project, each failure once."""
    of_tfma, ours = list(of_tfma), list(ours)
    failed = {(check.metric, check.slice) for check in ours if not check.passed}
    return [
        *(check for check in of_tfma if check.passed or (check.metric, check.slice) not in failed),
        *ours,
    ]


def _add_metrics(found: Evaluation, values: Values) -> Evaluation:
    """Add the metrics that TFMA computed with a configuration of the user's."""
    slices: dict[str, Metrics] = {}
    baseline: Metrics = {}
    for key, of_slice in values.items():
        where = slice_name(key)
        for metric, value in of_slice.items():
            if metric.is_diff:
                continue
            # TFMA leaves out the name if there is only one model.
            if metric.model_name in {'', tfma.CANDIDATE_KEY}:
                slices.setdefault(where, {})[metric_name(metric)] = value
            elif metric.model_name == tfma.BASELINE_KEY and not where:
                baseline[metric_name(metric)] = value
    return dataclasses.replace(
        found,
        metrics=found.metrics | slices.pop('', {}),
        slices={
            where: found.slices.get(where, {}) | slices.get(where, {})
            for where in found.slices | slices
        },
        baseline=None if found.baseline is None else found.baseline | baseline,
    )
