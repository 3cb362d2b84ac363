"""The Evaluator's executor: scores the test split and judges the model."""

from __future__ import annotations

import os
from typing import Any

from tfx.components.evaluator import constants, executor
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import io_utils

from components.common.atomic_write import UNFINISHED, clear_unfinished
from components.evaluator.evaluation import write_evaluation
from components.evaluator.gate import is_blessed, judge
from components.evaluator.measure import measure, models_of, to_evaluation
from components.evaluator.parameters import read_gate
from components.evaluator.tfma.eval_config import build_eval_config
from components.evaluator.tfma.files import write_tfma_files


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
                `read_score_details`, one for `read_evaluation`, and the scores of each example;
                `blessing`: as TFX's Evaluator writes it.
            exec_properties: `gate` and `example_splits`; bounds of this run,
                by the names of the gate's settings, are optional.

        Raises:
            ComponentError: If the number of scored examples is not the number that
                ExampleGen wrote.
            ConfigError: If a bound is missing or out of range.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        gate, columns = read_gate(exec_properties)
        models = models_of(input_dict)
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
        slices = measured.slices
        rulings = judge(
            gate, measured.estimates, slices.by_pattern, test_overlap=measured.test_overlap
        )
        config = build_eval_config(
            rulings,
            slices.slices,
            measured.thresholds,
            has_baseline=models.baseline is not None,
        )
        write_tfma_files(
            evaluation,
            config,
            models.paths(),
            measured.estimates,
            slices=slices.slices,
            rulings=rulings,
            test_overlap=measured.test_overlap,
        )
        checks = [ruling.check for ruling in rulings]
        write_evaluation(to_evaluation(gate, measured, checks), evaluation)
        clear_unfinished(os.path.join(evaluation, UNFINISHED), 'Evaluator')
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        bless(blessing, is_blessed(rulings), *models)


def bless(
    blessing: Artifact, blessed: bool, candidate: Artifact, baseline: Artifact | None
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
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), '')
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE,
    )
