"""The Evaluator node, which judges the candidate."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import BaseChannel, channel, component_spec, standard_artifacts
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EVALUATION_KEY,
    STATISTICS_KEY,
    EvaluatorSpec,
)
from tfx.utils import json_utils

from components.common import features
from components.common.overrides import SAFEGUARD_OVERRIDES
from components.common.settings import Executors
from components.evaluator.eval_config import build_eval_config
from components.evaluator.executor import Executor
from components.evaluator.settings import GateSettings
from components.evaluator.stock import USER_CONFIG_KEY, StockExecutor
from components.evaluator.user_config import load_eval_config


class GateEvaluatorSpec(EvaluatorSpec):
    """Interface of TFX's Evaluator, with the statistics that the gate has a bound on."""

    INPUTS: ClassVar[dict[str, Any]] = {
        **EvaluatorSpec.INPUTS,
        STATISTICS_KEY: component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }


class BatchEvaluator(base_beam_component.BaseBeamComponent):
    """TFX's Evaluator with an executor that scores batches."""

    SPEC_CLASS = GateEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, **inputs_and_parameters: Any) -> None:
        outputs = {
            EVALUATION_KEY: standard_artifacts.ModelEvaluation,
            BLESSING_KEY: standard_artifacts.ModelBlessing,
        }
        channels = {
            key: channel.OutputChannel(artifact_type, self, key)
            for key, artifact_type in outputs.items()
        }
        super().__init__(GateEvaluatorSpec(**inputs_and_parameters, **channels))


class StockEvaluator(BatchEvaluator):
    """TFX's Evaluator, whose verdict also depends on the safeguards of this project."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)


def make_evaluator(
    examples: BaseChannel,
    model: BaseChannel,
    baseline_model: BaseChannel,
    gate: GateSettings,
    executors: Executors = 'fast',
    *,
    statistics: BaseChannel,
) -> BatchEvaluator:
    """Make the node that judges `model`.

    Args:
        examples: Raw examples; only the split `test` is read.
        model: The candidate.
        baseline_model: The served version, or a note that there is none.
        gate: The bounds, or the file that has them.
        executors: Whose executor evaluates; that of TFX if the gate has an `eval_config`.
        statistics: The statistics of `examples`, with those of the texts.

    Raises:
        ConfigError: If the `eval_config` is not usable.
    """
    config = load_eval_config(gate.eval_config) if gate.eval_config else None
    node_class = StockEvaluator if config or executors == 'stock' else BatchEvaluator
    node: BatchEvaluator = node_class(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        statistics=statistics,
        example_splits=json_utils.dumps([features.TEST_SPLIT]),
        eval_config=config or build_eval_config(gate),
    ).with_id('Evaluator')
    if config:
        bounds = {name: getattr(gate, name) for name in SAFEGUARD_OVERRIDES}
        node.exec_properties.update({USER_CONFIG_KEY: 1, **bounds})
    return node
