"""The Evaluator node, which judges the candidate."""

from __future__ import annotations

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.common import features
from components.common.settings import Executors
from components.evaluator.eval_config import build_eval_config
from components.evaluator.executor import Executor
from components.evaluator.settings import GateSettings
from components.evaluator.stock import USER_CONFIG_KEY, StockExecutor
from components.evaluator.user_config import load_eval_config


class BatchEvaluator(Evaluator):
    """TFX's Evaluator with an executor that scores batches."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


class StockEvaluator(Evaluator):
    """TFX's Evaluator, whose verdict also depends on the safeguards of this project."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)


def make_evaluator(
    examples: BaseChannel,
    model: BaseChannel,
    baseline_model: BaseChannel,
    gate: GateSettings,
    executors: Executors = 'fast',
) -> Evaluator:
    """Make the node that judges `model`.

    Args:
        examples: Raw examples; only the split `test` is read.
        model: The candidate.
        baseline_model: The served version, or a note that there is none.
        gate: The bounds, or the file that has them.
        executors: Whose executor evaluates; that of TFX if the gate has an `eval_config`.

    Raises:
        ConfigError: If the `eval_config` is not usable.
    """
    config = load_eval_config(gate.eval_config) if gate.eval_config else None
    node_class = StockEvaluator if config or executors == 'stock' else BatchEvaluator
    node = node_class(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        example_splits=[features.TEST_SPLIT],
        eval_config=config or build_eval_config(gate),
    ).with_id('Evaluator')
    if config:
        bound = {'min_baseline_auc': gate.min_baseline_auc}
        node.exec_properties.update({USER_CONFIG_KEY: 1, **bound})
    return node
