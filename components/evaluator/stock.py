"""TFX's executor of the Evaluator, with the safeguards of this project."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.common.overrides import GATE_OVERRIDES, SAFEGUARD_OVERRIDES, apply_overrides
from components.evaluator.eval_config import (
    read_gate,
    resolve_eval_config,
    resolve_safeguards,
    tfma_part,
)
from components.evaluator.evaluation import SAFEGUARDS_DIR
from components.evaluator.executor import bless, evaluate, models_of
from components.evaluator.gate import write_validation
from components.evaluator.settings import GateSettings

# An execution parameter: whether the configuration is the user's.
USER_CONFIG_KEY = 'is_user_config'


class StockExecutor(executor.Executor):
    """Lets TFMA evaluate and validate, and may refuse what it blesses."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the evaluation and the blessing.

        After TFX's executor, the executor of this project scores the examples for the
        report and for the safeguards: the candidate returns a probability for each
        example, the baseline is better than chance, and few texts of `test` are also in
        `train` or `val`.

        Args:
            input_dict: See `components.evaluator.executor.Executor`.
            output_dict: The same; `evaluation` also has a folder with the safeguards.
            exec_properties: The same. With a configuration of the user's, which is used
                as it is, `is_user_config` is 1, and the bounds of `SAFEGUARD_OVERRIDES` are
                numbers.

        Raises:
            ComponentError: If the number of scored examples is not the number that
                ExampleGen wrote.
            ConfigError: If a bound is missing or out of range.
        """
        models = models_of(input_dict)
        has_baseline = models.baseline is not None
        config = config_pb2.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        if exec_properties.get(USER_CONFIG_KEY):
            # The other bounds are not used.
            gate = GateSettings(min_accuracy=1, max_accuracy_drop=0)
            gate = apply_overrides(gate, exec_properties, SAFEGUARD_OVERRIDES)
        else:
            gate = apply_overrides(read_gate(config), exec_properties, GATE_OVERRIDES)
            # The other bounds are safeguards.
            config = tfma_part(resolve_eval_config(gate, has_baseline=has_baseline))
        unused = () if has_baseline else (standard_component_specs.BASELINE_MODEL_KEY,)
        super().Do(
            {key: artifacts for key, artifacts in input_dict.items() if key not in unused},
            output_dict,
            {
                **exec_properties,
                standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config),
            },
        )
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        evaluate(
            self._make_beam_pipeline(),
            input_dict,
            exec_properties,
            resolve_safeguards(gate, has_baseline=has_baseline),
            evaluation,
            folder=SAFEGUARDS_DIR,
        )
        _apply_safeguards(evaluation)
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        # TFX's executor writes no verdict if no bounds are set.
        for name in fileio.listdir(blessing.uri) if fileio.exists(blessing.uri) else ():
            fileio.remove(os.path.join(blessing.uri, name))
        bless(blessing, evaluation, *models)


def _apply_safeguards(evaluation: str) -> None:
    """Refuse the candidate in TFMA's result if it does not meet the safeguards."""
    result = tfma.load_validation_result(evaluation)
    safeguards = tfma.load_validation_result(os.path.join(evaluation, SAFEGUARDS_DIR))
    if safeguards.validation_ok:
        return
    result.validation_ok = False
    result.metric_validations_per_slice.extend(safeguards.metric_validations_per_slice)
    result.missing_slices.extend(safeguards.missing_slices)
    for path in tf.io.gfile.glob(os.path.join(evaluation, 'validations*')):
        tf.io.gfile.remove(path)
    write_validation(result, evaluation)
