"""The Evaluator node, which judges the candidate."""

from __future__ import annotations

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.common import features
from components.evaluator.eval_config import build_eval_config
from components.evaluator.executor import Executor
from components.evaluator.settings import GateSettings


class BatchEvaluator(Evaluator):
    """TFX's Evaluator with an executor that scores batches."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def make_evaluator(
    examples: BaseChannel, model: BaseChannel, baseline_model: BaseChannel, gate: GateSettings
) -> Evaluator:
    """Make the node that judges `model`.

    Args:
        examples: Raw examples; only the split `test` is read.
        model: The candidate.
        baseline_model: The served version, or a note that there is none.
        gate: The bounds.
    """
    return BatchEvaluator(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        example_splits=[features.TEST_SPLIT],
        eval_config=build_eval_config(gate),
    ).with_id('Evaluator')
