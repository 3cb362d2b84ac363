"""The Evaluator node, which judges the candidate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import BaseChannel, channel, component_spec, standard_artifacts
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EVAL_CONFIG_KEY,
    EVALUATION_KEY,
    STATISTICS_KEY,
    EvaluatorSpec,
)
from tfx.utils import json_utils

from components.common import features
from components.common.settings import Executors
from components.evaluator.executor import Executor
from components.evaluator.parameters import GATE_KEY, write_gate
from components.evaluator.settings import GateSettings
from components.evaluator.tfma.stock import StockExecutor
from components.evaluator.tfma.user_config import load_eval_config


class GateEvaluatorSpec(EvaluatorSpec):
    """Interface of TFX's Evaluator, with the settings of the gate.

    The statistics are those of the examples, which the gate has a bound on. The parameter
    `gate` is from `write_gate`. There is an `eval_config` only if it is the user's.
    """

    PARAMETERS: ClassVar[dict[str, Any]] = {
        **EvaluatorSpec.PARAMETERS,
        GATE_KEY: component_spec.ExecutionParameter(type=str),
    }

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
    feature_columns: Iterable[str] = (),
) -> BatchEvaluator:
    """Make the node that judges `model`.

    Args:
        examples: Raw examples; only the split `test` is read.
        model: The candidate.
        baseline_model: The served version, or a note that there is none.
        gate: The bounds, or the file that has them.
        executors: Whose executor evaluates; that of TFX if the gate has an `eval_config`.
        statistics: The statistics of `examples`, with those of the texts.
        feature_columns: The feature columns of `examples`, as `NAME:TYPE`.

    Raises:
        ConfigError: If the `eval_config` is not usable, or a slice is of no feature column.
    """
    config = load_eval_config(gate.eval_config) if gate.eval_config else None
    node_class = StockEvaluator if config or executors == 'stock' else BatchEvaluator
    node: BatchEvaluator = node_class(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        statistics=statistics,
        example_splits=json_utils.dumps([features.TEST_SPLIT]),
        gate=write_gate(gate, feature_columns),
        **({EVAL_CONFIG_KEY: config} if config else {}),
    ).with_id('Evaluator')
    return node
